#!/usr/bin/env bash
# How lamp-mini is trained.
#
#   examples/train_lamp_mini.sh DATA OUTPUT [BUNDLE]
#
# DATA holds archives of real people's joints (*.npz: CMU, ACCAD, Berkeley MHAD, some ReActIdle; (T, 22, 3) metres at 20
# frames per second), clips*.jsonl and trials*.jsonl (sentences: HumanML3D's for clips, the corpora's own labels for
# whole takes, which become sentences), and captions_train.jsonl (HumanML3D's training captions, without motions: made-up
# motions take those that are true of them, LaMP learns from those of one clip that they say the same, the captioner its
# language). With BUNDLE, an earlier lamp-mini, its networks learn on: about two hours on two CPU cores that compute in
# bf16 (the bundle that ships was made so, from the one before). Without it they learn from nothing, for longer.
# Two of MHAD's people and one of ACCAD's are kept out of training: the judges of search and posture ask for them.
set -euo pipefail
data=$1
output=$2

sentences=()
for file in "$data"/clips*.jsonl "$data"/trials*.jsonl; do
    sentences+=(--captions "$file")
done
lamp prepare "$data" "${sentences[@]}" --test 'mhad_s11_*' --test 'mhad_s12_*' --test 'accad_Male1_*' \
    --synthetic 24000 --recombine 1200 --wording "$data/captions_train.jsonl" --seed 23 --workers 2 \
    --output "$output/data"
# Made-up clips are named S000000 and so on, recombined ones R000000. Each real clip and its mirror image counts five
# times, what is recombined of them four: 40 % of all draws. Two actions in a row are the hardest to learn: of made-up
# clips those count twice.
{ grep -rl --include 'S*.json' '"action": "sequence"' "$output/data/truth" || true; } |
    sed 's|.*/||; s|\.json$||' > "$output/sequences.txt"
awk 'reading == "sequences" { weighty[$0]; next }
     { times = /^S/ ? 1 + ($0 in weighty) : (/^R/ ? 4 : 5); while (times-- > 0) print }' \
    reading=sequences "$output/sequences.txt" reading=clips "$output/data/train.txt" > "$output/train.txt"
mv "$output/train.txt" "$output/data/train.txt"

train=(lamp pretrain --data "$output/data" --output "$output/lamp-mini" --captions "$data/captions_train.jsonl")
if [ $# -gt 2 ]; then
    # The text transformer stays as it is, so that the generator, which reads it, may learn before LaMP does.
    "${train[@]}" --start-from "$3" --set lamp.learns_text=false --set lamp.weights.retention=0 \
        --set lamp.weights.motion_generation=0 --set lamp.weights.text_generation=0 --set lamp.matching_share=0.125 \
        --steps tokenizer=4200 --steps lamp=210 --steps generator=2200 --steps captioner=285 \
        --learning-rate tokenizer=8e-4 --learning-rate lamp=5e-4 --learning-rate generator=8e-4 \
        --set training.lamp.average_decay=0.98 --set training.generator.average_decay=0.998
    cp -r "$3/evaluator" "$output/lamp-mini/evaluator"
else
    "${train[@]}" --steps lamp=1200 --steps generator=20000 --steps language=1000 --steps captioner=5300 \
        --learning-rate generator=8e-4 --set training.generator.average_decay=0.998
    lamp pretrain --data "$output/data" --output "$output/lamp-mini" --stage evaluator --steps evaluator=1500
fi
