"""What crossed the gate from the factory floor to the final image, and what stayed behind."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from ..analysis.gate import FROM_BASE, FROM_CONTEXT, LEFT, MADE, SHIPPED
from . import style
from .style import BASE, CONTEXT, FINAL, INK, MUTED, finish, megabytes, plural, safe, shorten, shorten_left, tint

PAD, LINE = 30, 17  # pixels: between two nodes, at least; of a line of a label
# What the final stage holds without the gate: fate → (where it came from, colour)
OTHERWISE = {
    FROM_BASE: ("base image", BASE),
    FROM_CONTEXT: ("build context", CONTEXT),
    MADE: ("made in the final stage", FINAL),
}


def gate(frame: pd.DataFrame, footer: str = "") -> go.Figure:
    """A flow from every stage to the final image or to the floor, as wide as its bytes.

    frame: one row a file and stage; columns stage, path, bytes, fate, landed. fate is "shipped" or "left behind" for
    the files of a builder stage; "from the base", "from the context", "made here" or any other word for what the
    final stage holds without the gate. frame.attrs["base"], if there, names the final stage's base image.
    """
    flows = _flows(frame)
    nodes, node_of = _nodes(flows)
    lanes = max(len({flow["source"] for flow in flows}), 2)
    height = 110 + 62 * lanes if flows else 20
    figure = go.Figure()
    if flows:
        figure.add_sankey(
            arrangement="snap",
            domain={"x": [0, 1], "y": [0.02, 0.98]},
            textfont={"size": 13, "color": INK, "shadow": "auto"},
            node={
                "label": [_beside(node, height, lanes) for node in nodes],
                "color": [node["colour"] for node in nodes],
                "thickness": 20,
                "pad": PAD,
                "line": {"color": INK, "width": 0.6},
                "customdata": [safe(node["label"]) for node in nodes],
                "hovertemplate": "%{customdata}<extra></extra>",
            },
            link={
                "source": [node_of[flow["source"]] for flow in flows],
                "target": [node_of[flow["target"]] for flow in flows],
                "value": [flow["bytes"] for flow in flows],
                "color": [tint(flow["colour"], 0.75 if flow["fate"] != LEFT else 0.4) for flow in flows],
                "customdata": [_explain(flow) for flow in flows],
                "hovertemplate": "%{customdata}<extra></extra>",
            },
        )
    title, words = _finding(frame)
    return finish(figure, title, words, footer, height)


def _flows(frame: pd.DataFrame) -> list[dict]:
    """One flow for each stage and fate that has bytes: source, target, bytes, files, the largest file."""
    through = frame["fate"].isin([SHIPPED, LEFT])
    builders = list(dict.fromkeys(frame.loc[through, "stage"]))
    colours = dict(zip(builders, style.stage_colours(len(builders) + 1)))
    flows = []
    for (stage, fate), rows in frame.groupby(["stage", "fate"], sort=False):
        total = int(rows["bytes"].sum())
        if not total:
            continue
        if fate in (SHIPPED, LEFT):
            source, colour = stage if stage.startswith("stage-") else f"stage {stage}", colours[stage]
        else:
            source, colour = OTHERWISE.get(fate, (str(fate), BASE))
            source = frame.attrs.get("base", source) if fate == FROM_BASE else source
        largest = rows.loc[rows["bytes"].idxmax()]
        flows.append(
            {
                "source": source,
                "target": LEFT if fate == LEFT else "final image",
                "fate": fate,
                "bytes": total,
                "held": int(
                    rows.drop_duplicates("path")["bytes"].sum()
                ),  # one file may have been copied to several places
                "files": len(rows),
                "colour": colour,
                "largest": largest["path"],
                "landed": largest.get("landed"),
            }
        )
    return flows


def _nodes(flows: list[dict]) -> tuple[list[dict], dict[str, int]]:
    """The nodes with their sums in their labels, and each one's number."""
    nodes: list[dict] = []
    whole = sum(flow["bytes"] for flow in flows)
    for source in dict.fromkeys(flow["source"] for flow in flows):
        own = [flow for flow in flows if flow["source"] == source]
        label = f"{shorten(source, 26)}: {megabytes(sum(flow['held'] for flow in own))}"
        share = sum(flow["bytes"] for flow in own) / whole
        nodes.append({"key": source, "label": label, "colour": own[0]["colour"], "share": share})
    for target, name, colour in (("final image", "final image", FINAL), (LEFT, "left behind on the floor", MUTED)):
        total = sum(flow["bytes"] for flow in flows if flow["target"] == target)
        if total:
            label = f"{name}: {megabytes(total)}"
            nodes.append({"key": target, "label": label, "colour": colour, "share": total / whole})
    return nodes, {node["key"]: number for number, node in enumerate(nodes)}


def _beside(node: dict, height: float, lanes: int) -> str:
    """A node's label. Plotly writes it at the node's middle, where a flow thinner than the label would strike it through:
    an empty line above moves it below. Thin flows lie under the thick ones and turn upwards."""
    label = safe(node["label"])
    return label if node["share"] * (height - PAD * (lanes - 1)) > LINE else f"\u00a0<br>{label}"


def _explain(flow: dict) -> str:
    """Hover text: how much, from where to where, and the largest file of it."""
    said = {SHIPPED: "crossed the gate", LEFT: "stayed behind", MADE: MADE}
    verb = said.get(flow["fate"], f"came {flow['fate']}")
    text = f"<b>{megabytes(flow['bytes'])}</b> in {plural(flow['files'], 'file')} {safe(verb)}"
    text += f"<br>from {safe(flow['source'])}<br>largest: {safe(shorten_left(str(flow['largest']), 60))}"
    if flow["fate"] == SHIPPED and isinstance(flow["landed"], str):
        text += f"<br>landed at {safe(shorten_left(flow['landed'], 60))}"
    return text


def _finding(frame: pd.DataFrame) -> tuple[str, str]:
    """The title, and the sentence, from sums of the frame."""
    total, files = frame.groupby("fate")["bytes"].sum(), frame.groupby("fate").size()
    crossed, stayed = int(total.get(SHIPPED, 0)), int(total.get(LEFT, 0))
    if crossed and stayed:
        title = f"{megabytes(crossed)} crossed the gate, {megabytes(stayed)} stayed on the factory floor"
    elif stayed:
        title = f"Nothing crossed the gate: {megabytes(stayed)} stayed on the factory floor"
    elif crossed:
        title = f"Everything crossed the gate: {megabytes(crossed)}, and the factory floor is empty"
    else:
        title = f"No gate here: all {megabytes(total.sum())} of the image came in without one"
    through = frame[frame["fate"].isin([SHIPPED, LEFT])]
    held = int(
        through.drop_duplicates(["stage", "path"])["bytes"].sum()
    )  # a file may have been copied to several places
    parts = [
        f"{megabytes(crossed)} in {plural(int(files.get(SHIPPED, 0)), 'file')} crossed into the final image",
        f"{megabytes(stayed)} in {plural(int(files.get(LEFT, 0)), 'file')} stayed behind",
    ]
    parts[0] += ", some of them to several places" if held < crossed + stayed else ""
    others = [fate for fate in total.index if fate not in (SHIPPED, LEFT) and total[fate]]
    also = " and ".join(f"{megabytes(total[fate])} {fate}" for fate in others)
    words = f"Of {megabytes(held)} in the builder stages, {' and '.join(parts)}"
    if not crossed and not stayed:
        words = "No builder stage holds a file"
    return title, words + (f"; the final image also holds {also}." if also else ".")
