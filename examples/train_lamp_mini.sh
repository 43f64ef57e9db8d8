#!/usr/bin/env bash
# How the bundle that ships with lamp was trained: about three hours on two CPU cores.
#
#   examples/train_lamp_mini.sh DATA OUTPUT
#
# DATA holds joints.npz (joints of CMU's motion capture, (T, 22, 3) metres at 20 frames per second),
# clips.jsonl and trials.jsonl (sentences: HumanML3D's for clips, CMU's own for whole trials), and
# captions_train.jsonl (HumanML3D's training captions, without motions: the captioner's language).
set -euo pipefail
data=$1
output=$2

lamp prepare "$data/joints.npz" --captions "$data/clips.jsonl" --captions "$data/trials.jsonl" \
    --output "$output/data"

lamp pretrain --data "$output/data" --output "$output/lamp-mini" \
    --stage tokenizer --stage lamp --stage generator \
    --steps tokenizer=2400 --steps lamp=120 --steps generator=900

lamp pretrain --data "$output/data" --output "$output/lamp-mini" --stage captioner \
    --captions "$data/captions_train.jsonl" --steps language=1500 --steps captioner=400 \
    --steps lamp=120 --steps generator=900
