"""How the pictures of a run look."""

from matplotlib.axes import Axes

INK, FAINT, NOW, GOAL = "#1f2933", "#9aa5b1", "#1192b3", "#d6336c"


def plain(axes: Axes) -> None:
    """Two thin axes and a pale grid behind the curves."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(colors=INK, labelsize=9)
    axes.grid(color="#e4e7eb", lw=0.6)
    axes.set_axisbelow(True)
