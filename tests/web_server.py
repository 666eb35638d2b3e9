"""What the tests of the web app need: shipped models that nobody had to train, pictures to send, and a server."""

import base64
import io
import json
import socket
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import uvicorn
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw

from app.prediction_service import PredictionService
from app.web_app import create_app
from app.web_server import GracefulServer
from lab_kit.same_origin import ServerNames
from lab_kit.serving.http_protocol import HttpProtocol
from lab_kit.serving.limits import RequestLimits
from text_recognizer.preprocessing import Preprocessing
from text_recognizer.recognizer import Recognizer
from text_recognizer.shipping.model_card import CARD, ONNX, ModelCard, file_digest

CLASSES = ("1", "-", "0", "<P>")  # a bar that stands, one that lies, a ring, and nothing


def ship(folder: Path, kind: str = "character", places: int = 8) -> Path:
    """Write a shipped model that knows three signs by where their ink is, each in a square of 28 pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    masks = np.zeros((4, 1, 28, 28), np.float32)
    masks[0, :, :, 11:17], masks[1, :, 11:17] = 1, 1
    masks[2], masks[2, :, 11:17], masks[2, :, :, 11:17] = 1, 0, 0
    weights = (2 * masks - 1) / 255 / 20
    weights[3] = -1 / 255
    nodes = [
        helper.make_node("Cast", ["pictures"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["values", "weights", "bias"], ["windows"], kernel_shape=[28, 28], strides=[28, 28]),
        helper.make_node("Squeeze", ["windows", "axes"], ["logits"]),
    ]
    bias = np.float32([0, 0, 0, 5])
    axes = np.int64([2] if kind == "line" else [2, 3])
    width = 28 * places if kind == "line" else 28
    graph = helper.make_graph(
        nodes,
        "signs",
        [helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["n", 1, 28, width])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in zip(
            ("weights", "bias", "axes"), (weights, bias, axes), strict=True)],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / ONNX)
    card = ModelCard(
        kind=kind,
        data_class="EMNISTLines" if kind == "line" else "EMNIST",
        data_settings={},
        model_class="Masks",
        model_settings={},
        input_dims=(1, 28, width),
        output_dims=(places, 1) if kind == "line" else (1,),
        classes=CLASSES,
        choices=CLASSES[:3],
        preprocessing={"layout": "line" if kind == "line" else "box", "mean": [0.0], "std": [1.0]},
        decoding="places" if kind == "line" else None,
        blank=None,
        source="nothing",
        figures={"test_cer": 0.25} if kind == "line" else {"test_acc": 0.75},
        checks={},
        versions={},
        created="2026-01-01T00:00:00+00:00",
        files={ONNX: file_digest(folder / ONNX)},
    )
    (folder / CARD).write_text(card.as_json(), encoding="utf-8")
    return folder


def ship_picture_model(folder: Path) -> Path:
    """Write a shipped model of a data set of one's own that knows the same signs."""
    ship(folder)
    how = Preprocessing(28, 1, "pad", True, (0.0,), (1.0,))
    card = replace(ModelCard.read(folder), kind="picture", preprocessing={"picture": how.as_dict()})
    (folder / CARD).write_text(card.as_json(), encoding="utf-8")
    return folder


def drawing(sign: str, size: int = 280) -> Image.Image:
    """Draw a sign, dark on white."""
    picture = Image.new("L", (size, size), 255)
    pen, unit = ImageDraw.Draw(picture), size / 280
    places = {"1": [(140, 40), (140, 240)], "-": [(40, 140), (240, 140)]}
    if sign == "0":
        pen.ellipse([50 * unit, 50 * unit, 230 * unit, 230 * unit], outline=0, width=round(18 * unit))
    else:
        pen.line([(x * unit, y * unit) for x, y in places[sign]], fill=0, width=round(18 * unit))
    return picture


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """Return a picture as a file's bytes."""
    content = io.BytesIO()
    picture.save(content, kind, **options)
    return content.getvalue()


def in_base64(content: bytes) -> str:
    """Return bytes as base64."""
    return base64.b64encode(content).decode("ascii")


@contextmanager
def served(
    folder: Path,
    store: object = None,
    workers: int = 1,
    queue: int = 32,
    limits: RequestLimits | None = None,
    public: Collection[str] = (),
    port: int = 0,
) -> Iterator[tuple[int, PredictionService]]:
    """Serve a shipped model in a thread of this process; gives its port and what serves it."""
    service = PredictionService(Recognizer.load(folder), store, workers, queue, limits or RequestLimits())
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
        app = create_app(service, ServerNames.of("127.0.0.1", "127.0.0.1", public))
        settings = uvicorn.Config(
            app, http=HttpProtocol, ws="none", log_level="error", lifespan="off", server_header=False,
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        server = GracefulServer(settings, service)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.005)
        try:
            yield listener.getsockname()[1], service
        finally:
            server.should_exit = True
            thread.join()
            service.close()


def say(
    port: int | tuple[str, int], request: bytes, seconds: float = 30.0, end: bool = False
) -> tuple[int, dict[str, str], bytes]:
    """Send bytes as they are; return the status, the heads and the body of the answer.

    Args:
        port: of the server, or its address.
        request: all that is sent.
        seconds: to wait for the answer.
        end: say at the end that nothing more comes.
    """
    address = ("127.0.0.1", port) if isinstance(port, int) else port
    with socket.create_connection(address, timeout=seconds) as connection:
        try:
            connection.sendall(request)
            if end:
                connection.shutdown(socket.SHUT_WR)
        except OSError:  # it has answered, and heard enough
            pass
        file = connection.makefile("rb")
        status = int(file.readline().split()[1])
        heads = {}
        while (line := file.readline().strip()) != b"":
            name, _, value = line.decode("latin-1").partition(":")
            heads[name.lower()] = value.strip()
        return status, heads, file.read(int(heads.get("content-length", 0)))


def head(path: str = "/predict", method: str = "POST", **headers: object) -> bytes:
    """Return the head of a request; `content_type="..."` is Content-Type."""
    named = {"Host": "127.0.0.1"} | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def post(
    port: int | tuple[str, int], body: bytes, kind: str, path: str = "/predict", **headers: object
) -> tuple[int, dict, dict]:
    """Post a body; return the status, the heads and the JSON of the answer."""
    request = head(path, content_type=kind, content_length=len(body), **headers) + body
    status, heads, answer = say(port, request)
    return status, heads, json.loads(answer)


def post_json(port: int, path: str, **content: object) -> tuple[int, dict, dict]:
    """Post JSON; return the status, the heads and the JSON of the answer."""
    return post(port, json.dumps(content).encode(), "application/json", path)


def form(boundary: str = "xYz", **fields: bytes | str) -> tuple[bytes, str]:
    """Return fields as multipart/form-data, and its type."""
    body = b""
    for name, value in fields.items():
        content = value.encode() if isinstance(value, str) else value
        file = '; filename="picture.png"' if isinstance(value, bytes) else ""
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + content
        body += b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
