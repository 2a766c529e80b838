import pytest

from tasks.common.errors import ParameterError
from tasks.networks import layers


def test_a_cut_inside_a_residual_block_is_refused(make):
    with pytest.raises(ParameterError, match="inside a residual block") as caught:
        layers.cut(make(), "block12_depthwise_conv")
    assert "block11_expand_conv" in str(caught.value)
    assert "block12_project_conv" not in str(caught.value)


def test_a_cut_behind_a_stage_that_is_pooled_is_refused(make):
    model = make(pool="stages")
    with pytest.raises(ParameterError, match="behind a stage") as caught:
        layers.cut(model, "block15_expand_conv")
    assert "block11_expand_conv" in str(caught.value)


def test_an_unknown_cut_layer_is_refused_with_the_names(make):
    with pytest.raises(ParameterError, match="is no layer") as caught:
        layers.cut(make(), "conv99")
    assert "block15_expand_conv" in str(caught.value)


def test_only_the_suffix_is_trained_and_no_batch_normalisation(make):
    model = make()
    _, suffix = layers.cut(model, "block15_expand_conv")
    layers.train_only(model, suffix)
    trained = {v.path.split("/")[0] for v in model.trainable_variables}
    assert trained == {
        "block15_expand_conv",
        "block15_depthwise_conv",
        "block15_project_conv",
        "top_conv",
        "logits",
    }
    assert len(suffix.trainable_variables) == len(model.trainable_variables)
