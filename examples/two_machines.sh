#!/bin/bash
# Training on several machines, tried on one: two nodes at two addresses of the loopback share every batch over
# gloo; their weights are compared with those of a run that one process made alone.
#
#     bash examples/two_machines.sh DATA OUTPUT
set -eu
data=$1 output=$2
export OMP_NUM_THREADS=1 GLOO_SOCKET_IFNAME=lo
# fp32, for in bf16 half a batch is rounded otherwise than a whole one, and a low rate, for AdamW's first steps are
# as large for a gradient that is rounding as for any other. Size mini has no dropout, which ranks draw apart. Codebooks
# are not compared, and do differ: probably codes begin on drawn latents, of several on the same one rounding says which
# is chosen, and the others are put elsewhere. So this shows that two nodes train and come near, not that they are equal.
options=(--data "$data" --stage tokenizer --stage lamp --stage generator
    --set training.tokenizer.precision=fp32 --set training.lamp.precision=fp32
    --set training.generator.precision=fp32
    --batch-size tokenizer=16 --batch-size lamp=8 --batch-size generator=8
    --learning-rate tokenizer=1e-5 --learning-rate lamp=1e-5 --learning-rate generator=1e-5
    --steps tokenizer=6 --steps lamp=4 --steps generator=6
    --validate-every tokenizer=3 --validate-every lamp=2 --validate-every generator=3)

lamp pretrain "${options[@]}" --output "$output/alone"

node() { # NUMBER ADDRESS
    torchrun --nnodes 2 --node-rank "$1" --nproc-per-node 1 --local-addr "$2" \
        --master-addr 127.0.0.1 --master-port 29533 -m lamp_cli pretrain "${options[@]}" --output "$output/together"
}
node 0 127.0.0.1 &
first=$!
node 1 127.0.0.2
wait "$first"

python - "$output" <<'END'
import sys
from pathlib import Path

from safetensors.torch import load_file

alone, together = (Path(sys.argv[1]) / name / "training" for name in ("alone", "together"))
for stage in ("tokenizer", "lamp", "generator"):
    one, two = (load_file(folder / stage / "best.safetensors") for folder in (alone, together))
    names = [name for name in one if not name.startswith("codebook.")]
    difference = sum(float((one[name] - two[name]).square().sum()) for name in names) ** 0.5
    size = sum(float(one[name].square().sum()) for name in names) ** 0.5
    print(f"{stage:10s} difference of the weights {difference / size:.1e} of their size")
END
