#!/usr/bin/env bash
# How the bundle that ships with lamp was trained: about eight hours on two CPU cores.
#
#   examples/train_lamp_mini.sh DATA OUTPUT
#
# DATA holds joints.npz (joints of CMU's motion capture, (T, 22, 3) metres at 20 frames per second),
# clips.jsonl and trials.jsonl (sentences: HumanML3D's for clips, CMU's own for whole trials), and
# captions_train.jsonl (HumanML3D's training captions, without motions: made-up motions take those that are
# true of them, LaMP learns from those of one clip that they say the same, the captioner its language).
set -euo pipefail
data=$1
output=$2
real=("$data/joints.npz" --captions "$data/clips.jsonl" --captions "$data/trials.jsonl")
people=(--captions "$data/captions_train.jsonl")

# First on real motion alone.
lamp prepare "${real[@]}" --output "$output/cmu"
lamp pretrain --data "$output/cmu" --output "$output/first" \
    --stage tokenizer --stage lamp --stage generator \
    --steps tokenizer=2400 --steps lamp=120 --steps generator=900

# Then on real and made-up motion together. (The shipped bundle saw 41 of the 107 actions of today here, and
# had dropout in these two parts.)
lamp prepare "${real[@]}" --synthetic 6000 --output "$output/mixed"
second=(--data "$output/mixed" --output "$output/second" --start-from "$output/first" "${people[@]}")
second+=(--steps tokenizer=1200 --steps lamp=280 --steps generator=1600 --steps language=1500 --steps captioner=400)
lamp pretrain "${second[@]}"

# Then on much more of it, with people's wording and recombined real motion. (In these three parts the shipped
# bundle's LaMP had four layers; the last part began it anew with six.)
lamp prepare "${real[@]}" --synthetic 20000 --recombine 400 --wording "$data/captions_train.jsonl" --seed 2 \
    --output "$output/more"
third=(--data "$output/more" --output "$output/third" --start-from "$output/second" "${people[@]}")
third+=(--steps tokenizer=800 --steps lamp=300 --steps generator=6500 --steps captioner=500)
lamp pretrain "${third[@]}"
lamp pretrain --data "$output/more" --output "$output/lamp-mini" --stage evaluator --steps evaluator=1500

# Last on three times as much, with the motion tokenizer as it is.
lamp prepare "${real[@]}" --synthetic 60000 --recombine 400 --wording "$data/captions_train.jsonl" --seed 2 \
    --output "$output/most"
last=(--data "$output/most" --output "$output/lamp-mini" --start-from "$output/third" "${people[@]}")
last+=(--stage lamp --stage generator --stage captioner)
last+=(--steps lamp=300 --steps generator=1600 --steps captioner=350)
lamp pretrain "${last[@]}"
