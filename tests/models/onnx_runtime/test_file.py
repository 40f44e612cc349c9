from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipeline.errors import ModelError
from pipeline.models.onnx_runtime.file import channels_last, read_onnx


def branching() -> onnx.ModelProto:
    """An If whose branches use an outer value, numbers in every packing, and a weight that is also named as an
    input."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT16, ["n", 3, None, 40])
    branch = helper.make_graph(
        [helper.make_node("Identity", ["image"], ["b"])],
        "b",
        [],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT16, None)],
    )
    nodes = [
        helper.make_node("Constant", [], ["yes"], value=numpy_helper.from_array(np.array([1, -7], "int64"))),
        helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch),
        helper.make_node("Odd", ["y"], ["z"], domain="my.ops", axes=[-1, 2], mode="wrap", times=-3),
    ]
    weights = [
        helper.make_tensor("w", TensorProto.INT64, [2], [5, -6]),
        numpy_helper.from_array(np.array([0.5], "float32"), "raw"),
        helper.make_tensor("f", TensorProto.FLOAT, [1], [0.25]),
        numpy_helper.from_array(np.zeros((3, 40), "float32"), "large"),
    ]
    given = [image, helper.make_tensor_value_info("w", TensorProto.INT64, [2])]
    graph = helper.make_graph(
        nodes, "g", given, [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 4, "r", "c"])], weights
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("my.ops", 2)])
    helper.set_model_props(made, {"key": "wört"})
    return made


def test_everything_that_onnx_wrote_is_read(tmp_path: Path) -> None:
    onnx.save(branching(), tmp_path / "a.onnx")
    found = read_onnx(tmp_path / "a.onnx")
    assert (found.opset, found.metadata, found.locations) == (17, {"key": "wört"}, ())
    assert [(value.name, value.dtype, value.shape) for value in found.inputs] == [
        ("image", TensorProto.FLOAT16, (None, 3, None, 40))
    ]
    assert [(value.name, value.shape) for value in found.outputs] == [("z", (1, 4, None, None))]
    assert {name: (tensor.shape, tensor.values) for name, tensor in found.weights.items()} == {
        "w": ((2,), (5, -6)),
        "raw": ((1,), (0.5,)),
        "f": ((1,), (0.25,)),
        "large": ((3, 40), None),
    }
    constant, branch, odd = found.nodes
    assert constant.attributes == {"value": (1, -7)}
    assert branch.captures == {"image", "b"}
    assert (odd.kind, odd.domain, odd.inputs, odd.outputs, odd.attributes) == (
        "Odd",
        "my.ops",
        ("y",),
        ("z",),
        {"axes": (-1, 2), "mode": "wrap", "times": -3},
    )


def test_weights_beside_the_file_are_told_wherever_they_are_used(tmp_path: Path) -> None:
    made = branching()
    for tensor, place in ((made.graph.initializer[3], "here.bin"), (made.graph.node[0].attribute[0].t, "there.bin")):
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=place)
        tensor.external_data.add(key="offset", value="0")
    (tmp_path / "a.onnx").write_bytes(made.SerializeToString())
    assert read_onnx(tmp_path / "a.onnx").locations == ("here.bin", "there.bin")


def test_a_second_part_of_a_graph_is_read_with_the_first(tmp_path: Path) -> None:
    more = onnx.ModelProto(graph=onnx.GraphProto(output=[onnx.ValueInfoProto(name="n" * 300)]))
    (tmp_path / "a.onnx").write_bytes(branching().SerializeToString() + more.SerializeToString())
    assert [value.name for value in read_onnx(tmp_path / "a.onnx").outputs] == ["z", "n" * 300]
    assert [value.name for value in onnx.load(tmp_path / "a.onnx").graph.output] == ["z", "n" * 300]


def test_a_file_longer_than_protocol_buffers_allow_is_told_without_reading_it(tmp_path: Path) -> None:
    with (tmp_path / "a.onnx").open("wb") as file:
        file.write(branching().SerializeToString())
        file.truncate(2**31)
    with pytest.raises(ModelError, match=r"a\.onnx has more than 2 GiB.*weights in a file beside it"):
        read_onnx(tmp_path / "a.onnx")


def test_a_name_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(branching().SerializeToString().replace(b"image", b"im\xffge"))
    with pytest.raises(ModelError, match=r"a\.onnx is no ONNX file, or a part of one \('utf-8' codec"):
        read_onnx(tmp_path / "a.onnx")


def test_a_file_with_another_ending_is_read_as_onnx(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(branching().SerializeToString())
    assert read_onnx(tmp_path / "a.json").opset == 17


@pytest.mark.parametrize(
    "data", [b"", b"\x80\x04garbage", b"\x0b", b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x08\x08"]
)
def test_what_is_no_onnx_file_is_told(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(data)
    with pytest.raises(ModelError, match=r"a\.onnx"):
        read_onnx(tmp_path / "a.onnx")


@pytest.mark.parametrize(
    ("shape", "last"),
    [
        ((1, 256, 256, 3), True),
        ((None, None, None, 4), True),
        ((1, 3, 256, 256), False),
        ((None, 3, None, None), False),
        ((None, None, None, None), False),
        ((1, 8, 8, 8), False),
        ((1, 13, 8, 8), False),
        ((), False),
    ],
)
def test_bands_last_are_seen(shape: tuple[int | None, ...], last: bool) -> None:
    assert channels_last(shape) == last
