"""What a pull and a month cost: figures worked out by hand, and sliders that move the table."""

import pandas as pd
import pytest
import workshop
from workshop.lesson import costs

SIZES = pd.DataFrame(
    {
        "image": ["factory/large", "factory/small"],
        "compressed": [300_000_000, 25_000_000],
        "base": [290_000_000, 0],
    }
)


def test_a_pull_takes_eight_bits_for_every_byte():
    times = costs.pull_times(SIZES, [10, 1000]).set_index(["image", "speed"])["seconds"]
    assert times["factory/large", "10 Mbit/s"] == 240  # 2,400 Mbit
    assert times["factory/small", "1000 Mbit/s"] == 0.2
    assert list(costs.pull_times(SIZES)["speed"].unique()) == ["10 Mbit/s", "100 Mbit/s", "1000 Mbit/s"]


def test_nothing_to_transfer_takes_no_time():
    assert costs.pull_times(SIZES.assign(compressed=0))["seconds"].eq(0).all()


@pytest.mark.parametrize("speeds", [[0], [100, -1]])
def test_a_speed_must_move_something(speeds):
    with pytest.raises(workshop.WorkshopError, match="no speed"):
        costs.pull_times(SIZES, speeds)


@pytest.mark.parametrize("function", [costs.pull_times, costs.monthly_cost, costs.price_panel])
def test_sizes_without_the_compressed_ones_are_told_how_to_get_them(function):
    with pytest.raises(workshop.WorkshopError, match="compressed=True"):
        function(SIZES[["image"]])


def test_a_base_is_stored_once_and_pulled_each_time():
    cost = costs.monthly_cost(SIZES, storage=0.1, egress=0.09, versions=10, pulls=100).set_index("image")
    large = cost.loc["factory/large"]
    assert large["stored"] == 390_000_000 and large["pulled"] == 30_000_000_000  # 290 + 10 × 10 MB; 100 × 300 MB
    assert large["storage"] == pytest.approx(0.039) and large["egress"] == pytest.approx(2.70)
    assert large["month"] == pytest.approx(2.739)
    assert cost.loc["factory/small", "stored"] == 250_000_000


def test_without_a_known_base_every_version_is_stored_whole():
    cost = costs.monthly_cost(SIZES.drop(columns="base"), storage=1, egress=0, versions=2, pulls=5)
    assert list(cost["month"]) == pytest.approx([0.6, 0.05])


def test_a_slider_moves_the_cost_and_the_table():
    panel = costs.price_panel(SIZES, storage=0, pulls=100)
    assert "$2.70" in repr(panel)
    panel.sliders["egress"].value = 0.18
    assert panel.cost["month"][0] == pytest.approx(5.40)
    assert "$5.40" in repr(panel) and "30.00 GB" in repr(panel)


def test_the_panel_is_a_readable_table_first_and_sliders_in_addition(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda what, **_: shown.append(what))
    costs.price_panel(SIZES)._ipython_display_()
    table, box = shown
    assert "factory/large" in repr(table) and "<td" in table._repr_html_()
    assert [slider.description for slider in box.children] == [label for label, _, _ in costs.KNOBS.values()]


def test_the_shown_table_follows_the_slider(monkeypatch):
    updates = []
    handle = type("Handle", (), {"update": lambda self, table: updates.append(repr(table))})()
    monkeypatch.setattr("IPython.display.display", lambda what, **_: handle)
    panel = costs.price_panel(SIZES)
    panel._ipython_display_()
    panel.sliders["pulls"].value = 0
    assert len(updates) == 1 and "0.00 GB" in updates[0]


def test_a_setting_that_does_not_exist_is_told():
    with pytest.raises(workshop.WorkshopError, match="versions"):
        costs.price_panel(SIZES, price=1)


def test_a_setting_beyond_the_slider_is_kept():
    assert costs.price_panel(SIZES, pulls=50_000).sliders["pulls"].value == 50_000


def test_what_lies_above_the_base_is_what_is_left_to_pull():
    weights = pd.DataFrame({"image": ["app:1", "app:2", "base"], "compressed": [15_000_000, 7_000_000, 10_000_000]})
    boxed = costs.on_bases(weights, {"app:1": "base"})
    assert list(boxed["image"]) == ["app:1", "app:2"]
    assert list(boxed["base"]) == [10_000_000, 0] and list(boxed["on_top"]) == [5_000_000, 7_000_000]
    pulls = costs.with_and_without_base(boxed, speed=8)
    assert pulls.values.tolist() == [["app:1", "8 Mbit/s", 15.0, 5.0], ["app:2", "8 Mbit/s", 7.0, 7.0]]  # 1 MB a second
    with pytest.raises(workshop.WorkshopError, match="The base other is not in these sizes"):
        costs.on_bases(weights, {"app:1": "other"})
