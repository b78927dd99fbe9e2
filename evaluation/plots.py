"""The plots of a report, as PNG. They hold scores and labels; no text of any note.

Each is drawn for a column about 360 to 500 pixels wide, so that its text is readable on a phone and on paper.
"""
import contextlib
import io
import logging
import os
import tempfile

import numpy as np

# Told apart by everybody (Okabe and Ito).
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#8A9099"
WIDTH = 4.8  # inches
DPI = 200
LOOK = {
    "font.family": "DejaVu Sans", "font.size": 9.5, "axes.titlesize": 10.5, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.spines.top": False, "axes.spines.right": False,
    "axes.edgecolor": "#57606a", "axes.axisbelow": True, "grid.color": "#e3e7eb", "grid.linewidth": 0.8,
    "legend.frameon": False, "legend.fontsize": 9, "figure.facecolor": "white", "savefig.facecolor": "white",
    "axes.labelcolor": "#1b1f24"}


@contextlib.contextmanager
def drawing(height):
    """A matplotlib Figure of this height in inches, and a list that gets its PNG when the block ends."""
    matplotlib = _matplotlib()
    with matplotlib.rc_context():
        # Whatever the user's own matplotlibrc says, the pages look alike.
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(LOOK)
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        figure, png = Figure(figsize=(WIDTH, height), dpi=DPI), []
        FigureCanvasAgg(figure)
        yield figure, png
        figure.tight_layout(pad=0.4)
        figure.canvas.draw()
        png.append(_encoded(np.asarray(figure.canvas.buffer_rgba())))


def _encoded(pixels):
    """PNG of uint8 [height, width, RGBA]. With a palette it is a third of the size, in half the time, and looks the same."""
    from PIL import Image
    out = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(pixels[..., :3])).quantize(256, method=2)  # 2: octree, the fast one
    image.save(out, format="png", compress_level=3)
    return out.getvalue()


def _matplotlib():
    """Import matplotlib without a word, and with its cache where something can be written."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    if "MPLCONFIGDIR" not in os.environ and not _home_is_writable():
        os.environ["MPLCONFIGDIR"] = _temporary_cache()
    import matplotlib
    # Asked for this default, an older matplotlib would import pyplot to choose one.
    matplotlib.rcParamsDefault["backend"] = "agg"
    return matplotlib


def _home_is_writable():
    home = os.path.expanduser("~")
    folders = [os.environ.get(variable) or os.path.join(home, name)
               for variable, name in (("XDG_CONFIG_HOME", ".config"), ("XDG_CACHE_HOME", ".cache"))]
    # A folder that is not there yet is made by matplotlib, if the one that would hold it can be written.
    return all(os.access(folder if os.path.isdir(folder) else os.path.dirname(folder), os.W_OK) for folder in folders)


def _temporary_cache():
    import atexit
    import shutil
    folder = tempfile.mkdtemp(prefix="matplotlib-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def drawable(text):
    """Text of any kind, a folder's name say, as matplotlib draws it letter by letter.

    What stands between two $ is no formula, and a character that the font lacks is shown by its code, as `\\u4e2d`.
    """
    from matplotlib import font_manager
    font = font_manager.get_font(font_manager.findfont(LOOK["font.family"]))
    shown = "".join(letter if font.get_char_index(ord(letter)) else ascii(letter)[1:-1] for letter in text)
    return shown.replace("$", r"\$")


# ------------------------------------------------------------------------------------------------------ plots

def intervals(rows):
    """Scores with their intervals, one line each, and a mark for the baseline.

    Parameters
    ----------
    rows : list of (group, name, bootstrap.Interval, baseline value or None); those of a group together.
    """
    return runs_intervals([(group, name, [interval], baseline)
                           for group, name, interval, baseline in rows], [None])


def runs_intervals(rows, names):
    """The same for several runs, whose intervals stand below one another.

    Parameters
    ----------
    rows : list of (group, name, [bootstrap.Interval of each run, or None], baseline value or None).
    names : list of str, the runs; [None] for a single one that needs no legend.
    """
    colours = [BLUE, RED, GREEN, ORANGE, GREY]
    # A run beyond the last colour begins the colours anew, with another mark.
    looks = [(colours[number % len(colours)], "osD^v"[number // len(colours) % 5])
             for number in range(len(names))]
    positions, labels, position, group = [], [], 0.0, None
    step = 1.0 if len(names) == 1 else 0.5 + 0.45 * len(names)
    headings = []
    for row in rows:
        if row[0] != group:
            group = row[0]
            headings.append((position, group))
            position += 0.45 + step / 2
        positions.append(position)
        labels.append(row[1])
        position += step
    with drawing(0.75 + 0.25 * position + 0.2 * len(names)) as (figure, png):
        axes = figure.add_subplot(111)
        for where, (_, _, of_runs, baseline) in zip(positions, rows):
            for number, interval in enumerate(of_runs):
                if interval is None:
                    continue
                at = where + 0.45 * (number - (len(names) - 1) / 2)
                colour, mark = looks[number]
                axes.plot([100 * interval.low, 100 * interval.high], [at, at], color=colour, linewidth=2.2,
                          solid_capstyle="butt")
                axes.plot(100 * interval.value, at, mark, color=colour,
                          markersize=5.5 if len(names) == 1 else 4.5)
            if baseline is not None:
                axes.plot(100 * baseline, where, "|", color=GREY, markersize=11, markeredgewidth=2)
        for at, text in headings:
            axes.text(0.01, at, text, fontweight="bold", fontsize=9, va="center",
                      transform=axes.get_yaxis_transform())
        axes.set_yticks(positions)
        axes.set_yticklabels(labels)
        axes.set_ylim(position - step / 2 + 0.2, -0.6)
        axes.set_xlim(0, 100)
        axes.set_xlabel("per cent")
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        handles = [axes.plot([], [], f"{mark}-", color=colour, linewidth=2.2, markersize=5.5,
                             label="this run, 95 % interval" if name is None else "a run")[0]
                   for (colour, mark), name in zip(looks, names)]
        if any(row[3] is not None for row in rows):
            handles.append(
                axes.plot([], [], "|", color=GREY, markersize=11, markeredgewidth=2,
                          label="always the commonest label")[0])
        legend = axes.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.4, 1.0),
                             ncol=1 if len(names) > 1 else 2, handletextpad=0.5, columnspacing=1.2, borderaxespad=0.2)
        # Put in afterwards, since matplotlib leaves labels that begin with _ out of a legend.
        for entry, name in zip(legend.get_texts(), names):
            if name is not None:
                entry.set_text(drawable(name))
    return png[0]


def label_bars(labels, per_label):
    """Precision, recall and F1 of each label, side by side.

    Parameters
    ----------
    labels : list of str
    per_label : {label: {"precision", "recall", "f1", "support"}}
    """
    with drawing(0.9 + 0.46 * len(labels)) as (figure, png):
        axes = figure.add_subplot(111)
        for number, (key, name, colour) in enumerate(
            (("precision", "precision", "#9CC9E5"), ("recall", "recall", "#F3CF80"), ("f1", "F1", BLUE))):
            positions = np.arange(len(labels)) + (number - 1) * 0.27
            values = [100 * per_label[label][key] for label in labels]
            axes.barh(positions, values, height=0.25, color=colour, label=name)
            if key == "f1":
                for position, value in zip(positions, values):
                    axes.text(value + 1.2, position, f"{value:.0f}", va="center", fontsize=8)
        axes.set_yticks(range(len(labels)))
        axes.set_yticklabels([f"{label}\n{per_label[label]['support']:,}" for label in labels], fontsize=8.5)
        axes.set_ylim(len(labels) - 0.45, -0.55)
        axes.set_xlim(0, 106)
        axes.set_xticks(range(0, 101, 20))
        axes.set_xlabel("per cent")
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncol=3, handlelength=1.2,
                    borderaxespad=0.2)
    return png[0]


def confusion(labels, matrix):
    """A confusion matrix: counts, shaded by their share of the row.

    Parameters
    ----------
    labels : list of str
    matrix : int [labels, labels], rows gold, columns predicted.
    """
    matrix = np.asarray(matrix)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    small = len(labels) > 4
    with drawing(4.5 if small else 3.2) as (figure, png):
        axes = figure.add_subplot(111)
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        borders = np.arange(len(labels) - 1) + 0.5
        axes.hlines(borders, -0.5, len(labels) - 0.5, color="white", linewidth=1.5)
        axes.vlines(borders, -0.5, len(labels) - 0.5, color="white", linewidth=1.5)
        for row in range(len(labels)):
            for column in range(len(labels)):
                count = matrix[row, column]
                axes.text(column, row,
                          f"{count}" if small else f"{count:,}\n{100 * share[row, column]:.0f} %",
                          in_layout=False,  # it is within the axes: nothing to lay out
                          ha="center", va="center", fontsize=(7 if count > 9999 else 8) if small else 10,
                          color="white" if share[row, column] > 0.55 else "#1b1f24" if count else "#a5adb5")
        axes.set_xticks(range(len(labels)))
        axes.set_xticklabels(labels, rotation=50 if small else 0, ha="right" if small else "center",
                             rotation_mode="anchor", fontsize=8.5)
        axes.set_yticks(range(len(labels)))
        axes.set_yticklabels(labels, fontsize=8.5)
        axes.set_xlabel("predicted")
        axes.set_ylabel("gold")
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
    return png[0]


def curves(title, training, validation, best_step=None):
    """A training curve (each step light, their running mean dark) and the validation curve over it.

    Parameters
    ----------
    title : str
    training, validation : (steps, values) or None.
    best_step : step of the model that was kept, or None.
    """
    with drawing(2.9) as (figure, png):
        axes = figure.add_subplot(111)
        if training is not None:
            steps, values = training
            width = max(1, len(values) // 50)
            if width > 1:
                axes.plot(steps, values, color=BLUE, alpha=0.22, linewidth=0.8)
            axes.plot(steps, running_mean(values, width), color=BLUE, linewidth=1.8,
                      label="training batches" if width == 1 else f"training, mean of {width} steps")
        if validation is not None:
            steps, values = validation
            axes.plot(steps, values, "o-" if len(steps) < 40 else "-", color=RED, linewidth=1.8, markersize=4,
                      label="validation")
        if best_step:
            axes.axvline(best_step, color=GREY, linestyle="--", linewidth=1.1, label="the model kept")
        axes.set_xlim(left=0)
        if title == "Learning rate":
            # A constant rate shows as a line above zero and not as noise about itself.
            axes.set_ylim(bottom=0, top=1.25 * max(training[1].max(), 1e-12))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.set_title(title, pad=26)
        axes.set_xlabel("step")
        axes.grid()
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncol=3, handlelength=1.4,
                    columnspacing=1.0, fontsize=8.2, borderaxespad=0.1)
    return png[0]


def running_mean(values, width):
    """Mean of each value and the up to `width` - 1 before it: float [values]."""
    sums = np.cumsum(np.insert(np.asarray(values, float), 0, 0.0))
    ends = np.arange(1, len(values) + 1)
    begins = np.maximum(0, ends - width)
    return (sums[ends] - sums[begins]) / (ends - begins)


def reliability(title, calibration, rows):
    """Reliability curve of an analysis.Calibration, over the number of cases in each class of confidence."""
    with drawing(4.2) as (figure, png):
        top, bottom = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3.4, 1]})
        has = calibration.cases > 0
        top.plot([0, 100], [0, 100], "--", color=GREY, linewidth=1.1, label="perfect")
        top.plot(100 * calibration.confidence[has], 100 * calibration.accuracy[has], "o-", color=BLUE,
                 linewidth=1.8, markersize=5, label=f"this run (error {100 * calibration.error:.1f})")
        top.set_ylim(-2, 102)
        top.set_ylabel("right, per cent")
        top.set_title(title)
        top.grid()
        top.legend(loc="upper left")
        edges = np.linspace(0, 100, len(calibration.cases) + 1)
        bottom.bar((edges[:-1] + edges[1:]) / 2, calibration.cases, width=0.9 * edges[1], color="#9CC9E5")
        bottom.set_ylabel(rows)
        bottom.set_xlabel("confidence, per cent")
        bottom.set_xlim(0, 100)
        bottom.grid(axis="y")
    return png[0]


def group_bars(groups, upright):
    """Accuracy over three and eight labels of each analysis.Group; `upright` for many short names."""
    with drawing(3.2 if upright else 0.9 + 0.62 * len(groups)) as (figure, png):
        axes = figure.add_subplot(111)
        if upright:
            draw, lines, thickness = axes.bar, axes.vlines, "width"
        else:
            draw, lines, thickness = axes.barh, axes.hlines, "height"
        bars = []
        for number, (of, name, colour) in enumerate(
            (("merged", "three labels", BLUE), ("pairs", "eight labels", "#9CC9E5"))):
            found = [getattr(group, of) for group in groups]
            positions = np.arange(len(groups)) + (number - 0.5) * 0.38
            bars.append(draw(positions, [100 * interval.value for interval in found], color=colour, label=name,
                             **{thickness: 0.35}))
            low, high = (100 * np.array([getattr(interval, end) for interval in found]) for end in ("low", "high"))
            known = ~np.isnan(low)
            lines(positions[known], low[known], high[known], color="#1b1f24", linewidth=1.2)
        for number, group in enumerate(groups):
            along = [number - 0.4, number + 0.02], [100 * group.commonest] * 2
            axes.plot(*(along if upright else along[::-1]), color=RED, linewidth=2, clip_on=False)
        commonest, = axes.plot([], [], color=RED, linewidth=2, label="commonest of three")
        names = [f"{group.name}\n{group.cases:,}" for group in groups]
        if upright:
            axes.set_xticks(range(len(groups)))
            axes.set_xticklabels(names, fontsize=8.5)
            axes.set_ylim(0, 100)
            axes.set_ylabel("accuracy, per cent")
            axes.set_xlabel("words between the mentions, number of links")
            axes.tick_params(axis="x", length=0)
        else:
            axes.set_yticks(range(len(groups)))
            axes.set_yticklabels(names, fontsize=8.5)
            axes.set_ylim(len(groups) - 0.5, -0.5)
            axes.set_xlim(0, 100)
            axes.set_xlabel("accuracy, per cent")
            axes.tick_params(axis="y", length=0)
        axes.grid(axis="y" if upright else "x")
        axes.legend(handles=bars + [commonest], loc="lower center", bbox_to_anchor=(0.42, 1.0), ncol=3,
                    handlelength=1.1, columnspacing=0.9, fontsize=8.5, borderaxespad=0.4)
    return png[0]


def confidence_histogram(confidence, right, rows):
    """How many right and wrong predictions there are at each confidence: float [rows], bool [rows]; `rows` is their name."""
    with drawing(2.9) as (figure, png):
        axes = figure.add_subplot(111)
        axes.hist([100 * confidence[right], 100 * confidence[~right]], bins=np.linspace(0, 100, 21),
                  stacked=True, color=["#9CC9E5", RED], label=["right", "wrong"], rwidth=0.92)
        axes.set_xlim(0, 100)
        axes.set_xlabel("confidence, per cent")
        axes.set_ylabel(rows)
        axes.grid(axis="y")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=2, handlelength=1.2,
                    borderaxespad=0.2)
    return png[0]


def beside(rows):
    """Published scores, and this run's beside them.

    Parameters
    ----------
    rows : list of (group, name, bootstrap.Interval, whether it is a published score, without a width, whether that was
        computed by another rule, which is drawn hatched).
    """
    positions, position, group, headings = [], 0.0, None, []
    for row in rows:
        if row[0] != group:
            group = row[0]
            headings.append((position, group))
            position += 0.9
        positions.append(position)
        position += 1.0
    with drawing(0.5 + 0.26 * position) as (figure, png):
        axes = figure.add_subplot(111)
        for at, (_, _, interval, published, other_rule) in zip(positions, rows):
            axes.barh(at, 100 * interval.value, height=0.7, color=ORANGE if published else BLUE,
                      hatch="///" if other_rule else None, edgecolor="white" if other_rule else None)
            if not published:
                axes.plot([100 * interval.low, 100 * interval.high], [at, at], color="#1b1f24", linewidth=1.4)
            end = 100 * np.fmax(interval.high, interval.value)  # of the bar where there is no interval
            axes.text(end + 1.5, at, f"{100 * interval.value:.1f}", va="center", fontsize=8.5)
        for at, text in headings:
            axes.text(0.01, at, text, fontweight="bold", fontsize=9, va="center",
                      transform=axes.get_yaxis_transform())
        axes.set_yticks(positions)
        axes.set_yticklabels([row[1] for row in rows])
        axes.set_ylim(position - 0.4, -0.6)
        axes.set_xlim(0, 108)
        axes.set_xticks(range(0, 101, 20))
        axes.set_xlabel("per cent")
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
    return png[0]
