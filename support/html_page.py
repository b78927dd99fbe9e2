"""The pieces of a self-contained HTML page: style, tables that scroll in their own box, embedded figures."""
import base64
import hashlib
from html import escape

from support.files import open_regular

STYLE = """
:root { color-scheme: light; --ink: #1b1f24; --soft: #57606a; --line: #d5dae0; --accent: #0a5a93; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: #fff; color: var(--ink); overflow-wrap: break-word;
       font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif; }
main, header, footer { max-width: 1080px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 40px; }
h1 { font-size: 2rem; line-height: 1.2; letter-spacing: -0.01em; margin: 0 0 8px; text-wrap: balance; }
h2 { font-size: 1.35rem; line-height: 1.3; margin: 0 0 8px; }
p { max-width: 72ch; margin: 0 0 12px; }
a { color: var(--accent); }
.soft { color: var(--soft); }
nav { margin: 20px 0 0; padding: 12px 0; border-block: 1px solid var(--line); font-size: .92rem; }
nav ul { display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 0; padding: 0; list-style: none; }
section { padding: 36px 0 20px; }
section + section { border-top: 1px solid var(--line); }
.key { display: grid; grid-template-columns: repeat(auto-fit, minmax(220px, 1fr)); gap: 14px;
       margin: 16px 0 24px; }
.key div { border: 1px solid var(--line); border-radius: 8px; padding: 14px 18px; }
.key b { display: block; font-size: 1.9rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.key span { display: block; font-size: .88rem; color: var(--soft); }
.note { border-left: 4px solid #e69f00; background: #fff8ea; padding: 10px 16px; margin: 14px 0;
        max-width: 78ch; }
.figures { display: flex; flex-wrap: wrap; gap: 20px 48px; margin: 16px 0 20px; align-items: flex-start; }
.figures .scroll { margin: 0; }
figure { margin: 0; flex: 1 1 330px; max-width: 490px; min-width: 0; }
figure img { display: block; width: 100%; height: auto; }
figcaption { font-size: .88rem; line-height: 1.45; color: var(--soft); margin-top: 6px; }
.scroll { overflow-x: auto; margin: 14px 0 20px; max-width: 100%; }
.scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; font-size: .92rem; line-height: 1.4; }
caption { text-align: left; font-size: .88rem; color: var(--soft); padding-bottom: 6px; }
th, td { padding: 6px 14px 6px 0; text-align: left; vertical-align: top;
         border-bottom: 1px solid var(--line); }
thead th { border-bottom: 2px solid var(--soft); vertical-align: bottom; }
thead th.n { white-space: normal; }
th, td { overflow-wrap: normal; }
td { white-space: nowrap; }
tbody th { font-weight: 500; white-space: nowrap; }
table.wide { min-width: 900px; }
table.wide tbody th, table.wide td:not(.n) { white-space: normal; }
summary { cursor: pointer; color: var(--accent); margin: 12px 0; width: fit-content; }
summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
tbody tr.group th { font-weight: 700; padding-top: 14px; background: none; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.id { white-space: normal; overflow-wrap: anywhere; min-width: 22ch; }
footer { padding-top: 28px; padding-bottom: 40px; font-size: .88rem; color: var(--soft); }
@media (max-width: 560px) {
  body { font-size: 15px; } main, header, footer { padding-left: 16px; padding-right: 16px; }
  header { padding-top: 24px; } h1 { font-size: 1.6rem; }
  section { padding-top: 26px; } table { font-size: .86rem; }
}
@media print {
  body { font-size: 10pt; } nav { display: none; } a { color: inherit; text-decoration: none; }
  main, header, footer { max-width: none; padding-left: 0; padding-right: 0; }
  section + section { border: 0; } .scroll { overflow: visible; } table { font-size: 8.5pt; }
  figure, tr, .note, .key { break-inside: avoid; } h2 { break-after: avoid; }
  thead { display: table-header-group; }
}
"""


POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page(title, lead, sections, footer, style="", script=""):
    """A whole page. It holds everything it shows, and a policy under which nothing can be fetched.

    Parameters
    ----------
    title : str
    lead : HTML under the title.
    sections : list of (id, heading, HTML).
    footer : HTML
    style : CSS in addition to STYLE.
    script : JavaScript, the only one that the policy lets run; without it none is.
    """
    links = "".join(f'<li><a href="#{name}">{escape(heading)}</a></li>' for name, heading, _ in sections)
    body = "\n".join(
        f'<section id="{name}" aria-labelledby="{name}-heading">\n'
        f'<h2 id="{name}-heading">{escape(heading)}</h2>\n{content}\n</section>'
        for name, heading, content in sections)
    navigation = f'<nav aria-label="Sections"><ul>{links}</ul></nav>' if len(sections) > 2 else ""
    allowed = f"; script-src 'sha256-{digest(script)}'" if script else ""
    code = f"<script>{script}</script>\n" if script else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}{allowed}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{escape(title)}</title>
<style>{STYLE}{style}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
{lead}
{navigation}
</header>
<main>
{body}
</main>
<footer>{footer}</footer>
{code}</body>
</html>
"""


def digest(script):
    """What a Content-Security-Policy calls a script by: its SHA-256 in base64."""
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")


def is_page(path):
    """Whether a file is a page that `page` made."""
    try:
        with open_regular(path) as source:
            return POLICY.encode("utf-8") in source.read(2000)
    except OSError:
        return False


def paragraph(text, style=None):
    """A paragraph of plain text."""
    return f"<p{_class(style)}>{escape(text)}</p>"


def note(text):
    """A paragraph that stands out."""
    return f'<div class="note" role="note">{escape(text)}</div>'


class Markup(str):
    """A cell that is HTML already."""


def table(caption, header, rows, numbers=(), ids=(), wide=False):
    """A table in a box of its own that scrolls sideways where the page is narrow.

    Parameters
    ----------
    caption : str
    header : list of str
    rows : list of lists of str or Markup; the first cell heads its row, a row of one cell those below it.
    numbers, ids : indices of the columns that hold numbers, or long codes that may break anywhere.
    wide : the cells hold sentences, so that it should rather scroll than be squeezed.
    """
    def style(column):
        return _class("n" if column in numbers else "id" if column in ids else None)

    def cell(column, content):
        content = content if isinstance(content, Markup) else escape(content)
        tag, scope = ("th", ' scope="row"') if column == 0 else ("td", "")
        return f"<{tag}{scope}{style(column)}>{content}</{tag}>"

    def line(row):
        if len(row) == 1:
            head = f'<th scope="rowgroup" colspan="{len(header)}">{escape(row[0])}</th>'
            return f'<tr class="group">{head}</tr>'
        return f"<tr>{''.join(cell(column, content) for column, content in enumerate(row))}</tr>"

    head = "".join(f'<th scope="col"{style(column)}>{escape(name)}</th>'
                   for column, name in enumerate(header))
    # The box can be focused, so that it scrolls by keyboard too.
    body = "\n".join(map(line, rows))
    return (f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">'
            f'<table{_class("wide" if wide else None)}><caption>{escape(caption)}</caption>\n'
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>")


def figure(png, alternative, caption):
    """An embedded PNG (bytes) with the text that stands in for it (`alternative`) and a caption."""
    width, height = (int.from_bytes(png[begin:begin + 4], "big") for begin in (16, 20))
    data = base64.b64encode(png).decode("ascii")
    return (f'<figure><img src="data:image/png;base64,{data}" width="{width}" height="{height}" '
            f'alt="{escape(alternative)}"><figcaption>{escape(caption)}</figcaption></figure>')


def figures(*drawn):
    """Figures side by side where there is room."""
    return f'<div class="figures">{"".join(drawn)}</div>'


def details(summary, content):
    """Content that opens on demand, as what repeats a figure in numbers does."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def key_figures(items):
    """The few numbers to see first: (value, what it is, its interval) each."""
    return '<div class="key">' + "".join(
        f"<div><span>{escape(name)}</span><b>{escape(value)}</b><span>{escape(more)}</span></div>"
        for value, name, more in items) + "</div>"


def link(text, address):
    """A link, or plain text without an address, as a table cell."""
    return Markup(f'<a href="{escape(address)}">{escape(text)}</a>' if address else escape(text))


def _class(name):
    return f' class="{name}"' if name else ""
