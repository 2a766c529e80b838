import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name

from tasks.registry import metric_names

CODE = re.compile(r"_x([0-9A-F]*)_")


def decode(part):
    return CODE.sub(lambda found: chr(int(found[1], 16)) if found[1] else "", part)


@pytest.mark.parametrize("name", ["F", "no_nodule", "70-79", "chest_xray", "v1.5", "肺结节", "A B"])
def test_a_name_that_was_fine_stays(name):
    assert metric_names.part(name) == name


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("<5 mm", "_x3C_5 mm"),
        ("A & B", "A _x26_ B"),
        ("A/B", "A_x2F_B"),
        ("_x3C_5 mm", "_x5F_x3C_5 mm"),
        ("🫁", "_x1FAC1_"),
    ],
)
def test_what_mlflow_cannot_hold_is_named_by_its_code(name, part):
    assert metric_names.part(name) == part


@given(st.text(st.sampled_from("_x3C<A/. é")) | st.text())
def test_every_name_comes_back_and_mlflow_takes_it(name):
    part = metric_names.part(name)
    _validate_metric_name(f"test/{part}/auroc")
    assert decode(part) == name


def test_long_names_are_cut_and_stay_apart():
    one, other = (metric_names.whole(f"test/{'a' * 300}/{end}") for end in ("auroc", "ece"))
    assert len(one) == len(other) == 250
    assert one != other
    assert metric_names.whole("b" * 250) == "b" * 250
