#!/bin/bash
# Training on several machines, tried on one: two nodes at two addresses of the loopback share every batch over
# gloo; their weights are compared with those of a run that one process made alone. Those of tokenizer and LaMP
# are the same but for rounding, codebook and all. The generator's are not: each node draws what it masks by itself.
#
#     bash examples/two_machines.sh DATA OUTPUT
set -eu
data=$1 output=$2
export OMP_NUM_THREADS=1 GLOO_SOCKET_IFNAME=lo
# fp32, for in bf16 half a batch is rounded otherwise than a whole one. They go on from lamp-mini: codes that begin anew
# begin on drawn latents, and of several on the same one rounding says which is chosen. Size mini has no dropout, which
# ranks draw apart; a share of the pairs would be one of each node's own.
options=(--data "$data" --start-from lamp-mini --stage tokenizer --stage lamp --stage generator
    --set training.tokenizer.precision=fp32 --set training.lamp.precision=fp32
    --set training.generator.precision=fp32
    --set lamp.matching_share=1 --set lamp.motion_generation_share=1
    --batch-size tokenizer=16 --batch-size lamp=8 --batch-size generator=8
    --learning-rate tokenizer=1e-4 --learning-rate lamp=1e-4 --learning-rate generator=1e-4
    --steps tokenizer=6 --steps lamp=4 --steps generator=6
    --validate-every tokenizer=6 --validate-every lamp=4 --validate-every generator=6)

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

from lamp_cli.bundle.bundle import load_bundle

before = load_bundle("lamp-mini", "cpu").networks()
alone, together = (Path(sys.argv[1]) / name / "training" for name in ("alone", "together"))
for stage in ("tokenizer", "lamp", "generator"):
    one, two = (load_file(folder / stage / "best.safetensors") for folder in (alone, together))
    start = before[stage].state_dict()
    names = [name for name in one if name in start and one[name].is_floating_point()]
    difference = sum(float((one[name] - two[name]).square().sum()) for name in names) ** 0.5
    change = sum(float((one[name] - start[name]).square().sum()) for name in names) ** 0.5
    print(f"{stage:10s} difference of the weights {difference / change:.1e} of what training changed in them")
END
