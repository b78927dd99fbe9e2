"""A note and the timeline its links imply, as one HTML file that holds all it shows, the note's text included."""
import collections
from html import escape
from typing import NamedTuple

from inputs import mentions, section_times
from notes import timeline
from support import html_page

WARNING = ("This page holds the text of a patient's note. Keep it where the note itself may be kept; do not mail, publish or "
           "upload it.")


class Link(NamedTuple):
    """A TLINK as the page shows it, between nodes (see section_times.nodes)."""
    from_node: str
    to_node: str
    type: str        # one of LABELS
    confidence: str  # as text


def page(document, confidences):
    """The HTML of a document's page.

    Parameters
    ----------
    document : data_process_i2b2.Document, read with entities="decoded", every TLINK with a type.
    confidences : the model's probability of each TLINK's type, None for one that was annotated.
    """
    order = timeline.implied(document, confidences)
    nodes = section_times.nodes(document)
    names = names_of(document, nodes)
    numbers = {node: number for number, node in enumerate(names)}
    links = [Link(nodes[tlink.from_id], nodes[tlink.to_id], tlink.type,
                  "annotated" if confidence is None else f"{100 * confidence:.0f} %")
             for tlink, confidence in zip(document.tlinks, confidences)]
    predicted = sum(confidence is not None for confidence in confidences)
    marked = {nodes[mention.id] for mention in document.mentions}
    lead = html_page.note(WARNING) + html_page.paragraph(
        f"{len(marked)} events and times, {len(links)} links, {predicted} of them predicted. Point at an event or time, or "
        "reach it with the Tab key, to see its links and how sure the model is; a click or Enter keeps them in view and leads "
        "into them, Escape leads back.")
    sections = [("note", "Note", note_html(document, nodes, names, numbers)),
                ("timeline", "Timeline", timeline_html(order, nodes, names, numbers)),
                ("links", "All links", links_html(links, names, numbers))]
    footer = ("<p>The order is what the links entail when they are read as the 2012 i2b2 challenge reads them: BEFORE, "
              "BEFORE_OVERLAP and ENDED_BY as before, AFTER and BEGUN_BY as after, OVERLAP, DURING and SIMULTANEOUS as the same "
              "time. Dates are the values of the note's times. What is surer stands where these contradict each other: days, "
              "annotated links, times of a day, then predicted links.</p>" + PANEL)
    return html_page.page(f"Timeline of {document.name}", lead, sections, footer, STYLE, SCRIPT)


def names_of(document, nodes):
    """{node: (name, tag)} of everything that is marked or linked, in the order of the file.

    Parameters
    ----------
    document : data_process_i2b2.Document
    nodes : from section_times.nodes.
    """
    types = {time.node: time.type for time in section_times.section_times(document).values()}
    names = {}
    for mention in section_times.first_mentions(document).values():
        node = nodes[mention.id]
        section_type = types.get(node, mention.type if mention.tag == "SECTIME" else "")
        if node == mention.id or node not in names:
            names[node] = (f"{section_type.capitalize()} {mention.text}", "SECTIME") if section_type else (
                mention.text, mention.tag)
    for tlink in document.tlinks:
        names.setdefault(nodes[tlink.from_id], (tlink.from_text, "SECTIME"))
        names.setdefault(nodes[tlink.to_id], (tlink.to_text, "SECTIME"))
    return {node: (one_space(text) or node or tag, tag) for node, (text, tag) in names.items()}


def note_html(document, nodes, names, numbers):
    """The text, its mentions marked; where some overlap, each part is marked for all that cover it."""
    spans = mentions.spans(document)
    borders = sorted({0, len(document.text)}.union(*spans.values()))
    pieces = []
    for begin, end in zip(borders, borders[1:]):
        text = document.text[begin:end]
        # The shortest first: what a part is the whole of, rather than what it belongs to.
        covering = sorted((identifier for identifier, (first, last) in spans.items() if first <= begin and end <= last),
                          key=lambda identifier: spans[identifier][1] - spans[identifier][0])
        chosen = list(dict.fromkeys(nodes[identifier] for identifier in covering))
        pieces.append(mark(text, chosen, names[chosen[0]][1], numbers) if chosen else escape(text))
    return f'<div class="text">{"".join(pieces).strip()}</div>'


def mark(text, nodes, tag, numbers):
    """A part of a text that stands for some events and times."""
    chosen = " ".join(str(numbers[node]) for node in nodes)
    return f'<a class="{tag}" href="#l{numbers[nodes[0]]}" data-m="{chosen}">{escape(text)}</a>'


def timeline_html(order, nodes, names, numbers):
    """A timeline.Timeline: the dated steps, then the others on demand."""
    def members_of(ids):
        return members(dict.fromkeys(nodes[identifier] for identifier in ids), names, numbers)

    told = "From top to bottom in time. Boxes in one step are in no order that the links tell."
    if order.omitted:
        told += f" {order.omitted} links contradict dates or surer links and are left out."
    main, rest = (order.dated, order.undated) if order.dated else (order.undated, [])
    parts = [html_page.paragraph(told if main else "No link orders anything.", "soft"), steps_html(main, members_of)]
    if rest:
        parts.append(html_page.details(f"In no known relation to a date ({sum(map(len, rest))} boxes)",
                                       steps_html(rest, members_of)))
    if order.unlinked:
        count = len({nodes[identifier] for identifier in order.unlinked})
        parts.append(html_page.details(f"{count} events and times that no link orders",
                                       f'<p class="members">{members_of(order.unlinked)}</p>'))
    return f'<div class="scrolls" tabindex="0" role="region" aria-label="Timeline">{"".join(parts)}</div>'


def steps_html(steps, members_of):
    """Steps of groups, as a list; `members_of` gives the marks of some ids."""
    items = "".join(f'<li class="step">{"".join(group_html(group, members_of) for group in step)}</li>' for step in steps)
    return f'<ol class="steps">{items}</ol>'


def group_html(group, members_of):
    """One box: its date, or the dates it is between, and its members."""
    if group.dates:
        date = f'<span class="date">{escape(", ".join(group.dates))}</span>'
    else:
        between = [f"{word} {date}" for word, date in (("after", group.after), ("before", group.before)) if date]
        date = f'<span class="between">{escape(", ".join(between))}</span>' if between else ""
    return f'<div class="group">{date}<span class="members">{members_of(group.ids)}</span></div>'


def members(nodes, names, numbers):
    """Marks of some events and times, by their names."""
    return " ".join(mark(names[node][0], [node], names[node][1], numbers) for node in nodes)


def links_html(links, names, numbers):
    """The links of each event and time: what the script shows beside it, and what is there without the script."""
    of_node = collections.defaultdict(list)
    for link in links:
        for node in dict.fromkeys(link[:2]):
            of_node[node].append(link)
    parts = []
    for node, (name, tag) in names.items():
        rows = "".join(link_html(link, names, numbers) for link in of_node[node]) or "<li>no link</li>"
        others = {str(numbers[other]) for link in of_node[node] for other in link[:2] if other != node}
        parts.append(f'<div id="l{numbers[node]}" data-others="{" ".join(sorted(others))}"><h3><b class="{tag}">'
                     f"{escape(name)}</b></h3><ul>{rows}</ul></div>")
    return f'<div class="entries">{"".join(parts)}</div>'


def link_html(link, names, numbers):
    """One link in words."""
    return (f"<li>{members([link.from_node], names, numbers)} <b>{link.type.replace('_', ' ').lower()}</b> "
            f'{members([link.to_node], names, numbers)} <span class="confidence">{link.confidence}</span></li>')


def one_space(text):
    """`text` with each run of white space as one space."""
    return " ".join(text.split())


PANEL = ('<aside id="panel" aria-label="Links of the chosen event or time" tabindex="-1" hidden>'
         '<button type="button" id="close">Close</button><div id="chosen"></div></aside>')

STYLE = """
main, header, footer { max-width: 1400px; }
main { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); column-gap: 40px; }
header p { max-width: 90ch; } footer { padding-bottom: 40vh; }
section + section { border-top: 0; } #links { grid-column: 1 / -1; border-top: 1px solid var(--line); }
.text { white-space: pre-wrap; max-width: 78ch; line-height: 1.75; }
#timeline { position: sticky; top: 0; align-self: start; padding-bottom: 0; }
.scrolls { max-height: calc(100vh - 90px); overflow-y: auto; padding-bottom: 30vh; }
.EVENT, .TIMEX3, .SECTIME { color: var(--ink); border-radius: 3px; padding: 1px 3px; text-decoration: none; font-weight: inherit;
  background: #e3eefa; border-bottom: 2px solid #2f74b5; }
.TIMEX3 { background: #fdf0d0; border-bottom: 2px dashed #9a6700; }
.SECTIME { background: #e0f3e4; border-bottom: 3px double #1a7f37; }
a.here { background: #0a5a93; color: #fff; } a.other { outline: 2px solid #0a5a93; outline-offset: 1px; }
a:focus-visible, button:focus-visible, .scrolls:focus-visible { outline: 3px solid #bf3989; outline-offset: 2px; }
.steps { list-style: none; margin: 0; padding: 0 8px 8px 22px; }
.step { display: flex; flex-wrap: wrap; gap: 8px; padding: 0 0 14px 18px; border-left: 2px solid var(--line);
  position: relative; }
.step::before { content: ""; position: absolute; left: -6px; top: 12px; width: 10px; height: 10px;
  border-radius: 50%; background: #57606a; }
.group { border: 1px solid var(--line); border-radius: 8px; padding: 6px 10px; min-width: 0; }
.date { display: block; font-weight: 700; font-variant-numeric: tabular-nums; }
.between { display: block; font-size: .85rem; color: var(--soft); }
.members { line-height: 1.9; font-size: .92rem; } .members a { overflow-wrap: anywhere; }
.entries { columns: 3 300px; column-gap: 32px; font-size: .92rem; } .entries > div { break-inside: avoid; padding: 4px 0; }
h3 { font-size: 1rem; margin: 0 0 4px; } .entries ul, #chosen ul { margin: 0 0 10px; padding-left: 20px; }
.entries > div:target { outline: 2px solid var(--accent); outline-offset: 4px; }
.confidence { font-variant-numeric: tabular-nums; color: var(--soft); white-space: nowrap; }
#panel { position: fixed; left: 0; right: 0; bottom: 0; max-height: 34vh; overflow-y: auto; background: #fff; font-size: .95rem;
  color: var(--ink); border-top: 2px solid var(--accent); box-shadow: 0 -4px 16px rgba(27, 31, 36, .18); padding: 12px 24px; }
#close { float: right; font: inherit; padding: 4px 12px; border: 1px solid var(--line); border-radius: 6px; background: #f6f8fa; }
@media (max-width: 800px) {
  main { display: block; } #timeline { position: static; } .scrolls { max-height: none; padding-bottom: 0; }
  section + section { border-top: 1px solid var(--line); } #panel { padding: 10px 16px; }
}
@media print { main { display: block; } #panel { display: none; } #timeline { position: static; }
  .scrolls { max-height: none; overflow: visible; padding-bottom: 0; } footer { padding-bottom: 0; } }
"""

# Without it, a click on a mention goes to its entry under "All links".
SCRIPT = """
(function () {
  "use strict";
  var panel = document.getElementById("panel"), chosen = document.getElementById("chosen");
  var marks = Array.prototype.slice.call(document.querySelectorAll("#note [data-m], #timeline [data-m]"));
  var kept = null;
  function numbers(text) { return text ? text.split(" ") : []; }
  function any(wanted, mark) {
    return numbers(mark.dataset.m).some(function (number) { return wanted.indexOf(number) >= 0; });
  }
  function show(mark) {
    var own = mark ? numbers(mark.dataset.m) : [], others = [];
    chosen.textContent = "";
    own.forEach(function (number) {
      var entry = document.getElementById("l" + number);
      Array.prototype.forEach.call(entry.children, function (child) { chosen.appendChild(child.cloneNode(true)); });
      others = others.concat(numbers(entry.dataset.others));
    });
    marks.forEach(function (each) {
      var here = any(own, each);
      each.classList.toggle("here", here);
      each.classList.toggle("other", !here && any(others, each));
    });
    panel.hidden = !mark;
  }
  function keep(mark) { kept = mark; show(mark); panel.focus({preventScroll: true}); }
  function letGo() {
    // A mark that is shown in the panel is gone with it; the one of the page that stands for the same comes in its place.
    var back = kept && (document.contains(kept) ? kept : marks.filter(any.bind(null, numbers(kept.dataset.m)))[0]);
    kept = null;
    show(null);
    if (back) { back.focus(); show(null); }
  }
  function at(event) { return event.target.closest ? event.target.closest("[data-m]") : null; }
  document.addEventListener("mouseover", function (event) { if (!panel.contains(event.target)) { show(at(event) || kept); } });
  document.addEventListener("focusin", function (event) {
    if (!kept && at(event) && !panel.contains(event.target)) { show(at(event)); }
  });
  document.addEventListener("click", function (event) {
    var mark = at(event);
    if (mark) { event.preventDefault(); keep(mark); }
  });
  document.addEventListener("keydown", function (event) { if (event.key === "Escape") { letGo(); } });
  document.getElementById("close").addEventListener("click", letGo);
  // Who tabs through the page reaches the panel, which shows the same, before some thousand links.
  Array.prototype.forEach.call(document.querySelectorAll("#links [data-m]"), function (mark) { mark.tabIndex = -1; });
}());
"""
