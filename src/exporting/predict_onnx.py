"""Find the cracks in a photograph with the network beside this file: ``python predict.py PHOTOGRAPH MASK.png``."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

photograph = cv2.imread(sys.argv[1]) if len(sys.argv) == 3 else None
if photograph is None:
    sys.exit(f"{__doc__}\nNot a photograph: {' '.join(sys.argv[1:2]) or 'none was named'}")
about = json.loads(Path(__file__).with_name("network.json").read_text())
network = onnxruntime.InferenceSession(Path(__file__).with_name("network.onnx"), providers=["CPUExecutionProvider"])
tile, mean, std = about["tile"], np.float32(about["mean"]) * 255, np.float32(about["std"]) * 255
photograph, (height, width) = cv2.cvtColor(photograph, cv2.COLOR_BGR2RGB), photograph.shape[:2]
seen = [max(1, round(height * about["scale"][0])), max(1, round(width * about["scale"][1]))]
how = cv2.INTER_AREA if seen[0] * seen[1] < height * width else cv2.INTER_LINEAR
image = photograph if seen == [height, width] else cv2.resize(photograph, seen[::-1], interpolation=how)
edges = [max(tile[0] - seen[0], 0), max(tile[1] - seen[1], 0)]
image = cv2.copyMakeBorder(image, 0, edges[0], 0, edges[1], cv2.BORDER_REFLECT_101)
total, weight = np.zeros(image.shape[:2], np.float32), np.zeros(image.shape[:2], np.float32)
ramp = [np.minimum(np.arange(1, side + 1), np.arange(side, 0, -1)).astype(np.float32) for side in tile]
counts = [-(-(image.shape[axis] - tile[axis]) // round(tile[axis] * 0.75)) + 1 for axis in (0, 1)]
for top in np.linspace(0, image.shape[0] - tile[0], counts[0]).round().astype(int):
    for left in np.linspace(0, image.shape[1] - tile[1], counts[1]).round().astype(int):
        part = (image[top : top + tile[0], left : left + tile[1]].astype(np.float32) - mean) / std
        (found,) = network.run(None, {"images": part.transpose(2, 0, 1)[None]})
        total[top : top + tile[0], left : left + tile[1]] += found[0, 0] * np.outer(*ramp)
        weight[top : top + tile[0], left : left + tile[1]] += np.outer(*ramp)
probability = cv2.resize((total / weight)[: seen[0], : seen[1]], (width, height), interpolation=cv2.INTER_LINEAR)
cv2.imwrite(sys.argv[2], np.uint8(255) * (probability >= about["threshold"]))
