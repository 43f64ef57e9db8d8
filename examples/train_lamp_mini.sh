#!/usr/bin/env bash
# How lamp-mini is trained: hours on two CPU cores. The one that ships came before this recipe put real people first
# (its card says how it was made).
#
#   examples/train_lamp_mini.sh DATA OUTPUT [BUNDLE]
#
# DATA holds archives of real people's joints (*.npz: CMU, ACCAD, Berkeley MHAD; (T, 22, 3) metres at 20 frames per
# second), clips*.jsonl and trials*.jsonl (sentences: HumanML3D's for clips, the corpora's own labels for whole
# takes, which become sentences), and captions_train.jsonl (HumanML3D's training captions, without motions: made-up
# motions take those that are true of them, LaMP learns from those of one clip that they say the same, the
# captioner its language). BUNDLE, when given, is an earlier bundle whose networks and vocabulary are gone on with.
# Two of MHAD's people and one of ACCAD's are kept out of training: the judges of search and posture ask for them.
set -euo pipefail
data=$1
output=$2
people=(--captions "$data/captions_train.jsonl")
earlier=()
if [ $# -gt 2 ]; then
    earlier=(--start-from "$3")
fi

sentences=()
for file in "$data"/clips*.jsonl "$data"/trials*.jsonl; do
    sentences+=(--captions "$file")
done
lamp prepare "$data" "${sentences[@]}" --test 'mhad_s11_*' --test 'mhad_s12_*' --test 'accad_Male1_*' \
    --synthetic 60000 --recombine 1600 --wording "$data/captions_train.jsonl" --seed 4 --workers 2 \
    --output "$output/data"
# Made-up clips are named S000000 and so on. Real motion goes first: each real clip, its mirror image and what is
# recombined of them counts so often that together they are about half of all draws. Two actions in a row are the
# hardest to learn: of made-up clips those count twice.
{ grep -rl --include 'S*.json' '"action": "sequence"' "$output/data/truth" || true; } |
    sed 's|.*/||; s|\.json$||' > "$output/sequences.txt"
awk 'reading == "sequences" { weighty[$0]; next }
     reading == "counts" { if (/^S/) made += 1 + ($0 in weighty); else real++; next }
     { times = /^S/ ? 1 + ($0 in weighty) : int(made / real + 0.5); do print; while (--times > 0) }' \
    reading=sequences "$output/sequences.txt" reading=counts "$output/data/train.txt" \
    reading=clips "$output/data/train.txt" > "$output/train.txt"
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

# At last the decoder alone, for poses as people hold them: the codes keep their meaning.
python "$(dirname "$0")/tune_decoder.py" "$output/averaged-3/lamp-mini" "$output/data" "$output/tuned/lamp-mini" \
    --steps 1500 --learning-rate 5e-4
cp -r "$output/lamp-mini/evaluator" "$output/tuned/lamp-mini/evaluator"
