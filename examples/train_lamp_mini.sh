#!/usr/bin/env bash
# How the bundle that ships with lamp is trained: hours on two CPU cores.
#
#   examples/train_lamp_mini.sh DATA OUTPUT [BUNDLE]
#
# DATA holds joints.npz (joints of CMU's motion capture, (T, 22, 3) metres at 20 frames per second),
# clips.jsonl and trials.jsonl (sentences: HumanML3D's for clips, CMU's own for whole trials), and
# captions_train.jsonl (HumanML3D's training captions, without motions: made-up motions take those that are
# true of them, LaMP learns from those of one clip that they say the same, the captioner its language).
# BUNDLE, when given, is an earlier bundle whose networks and vocabulary are gone on with.
set -euo pipefail
data=$1
output=$2
people=(--captions "$data/captions_train.jsonl")
earlier=()
if [ $# -gt 2 ]; then
    earlier=(--start-from "$3")
fi

lamp prepare "$data/joints.npz" --captions "$data/clips.jsonl" --captions "$data/trials.jsonl" \
    --synthetic 60000 --recombine 400 --wording "$data/captions_train.jsonl" --seed 2 --workers 2 \
    --output "$output/data"
# Made-up clips are named S000000 and so on. Of real ones there are few: each counts four times. Two actions in a
# row are the hardest to learn: each such clip counts four times too.
{ grep -rl --include 'S*.json' '"action": "sequence"' "$output/data/truth" || true; } |
    sed 's|.*/||; s|\.json$||' > "$output/sequences.txt"
awk 'FILENAME == ARGV[1] { weighty[$0]; next } { print } !/^S/ || $0 in weighty { print; print; print }' \
    "$output/sequences.txt" "$output/data/train.txt" > "$output/train.txt"
mv "$output/train.txt" "$output/data/train.txt"

lamp pretrain --data "$output/data" --output "$output/lamp-mini" ${earlier[@]+"${earlier[@]}"} "${people[@]}" \
    --steps tokenizer=1400 --steps lamp=420 --steps generator=11500 --steps language=1000 --steps captioner=5300
lamp pretrain --data "$output/data" --output "$output/lamp-mini" --stage evaluator --steps evaluator=1500

# The generator, trained further and averaged with itself as it was before, is better than either; three times over.
further() {
    local bundle=$1 round=$2 steps=$3 rate=$4 share=$5
    lamp pretrain --data "$output/data" --output "$output/further-$round" --start-from "$bundle" "${people[@]}" \
        --stage generator --steps "generator=$steps" --learning-rate "generator=$rate" --seed "$round"
    python "$(dirname "$0")/average_generators.py" \
        "$bundle" "$output/further-$round" "$output/averaged-$round/lamp-mini" "$share"
}
further "$output/lamp-mini" 1 3000 1e-3 0.5
further "$output/averaged-1/lamp-mini" 2 2100 5e-4 0.75
further "$output/averaged-2/lamp-mini" 3 1500 5e-4 0.65
cp -r "$output/lamp-mini/evaluator" "$output/averaged-3/lamp-mini/evaluator"
