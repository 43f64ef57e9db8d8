"""The words of every action, as patterns over base forms without articles, and what belongs to an action.

A row is an action and its patterns, parted by semicolons. A pattern is a regular expression in which ``~``
stands for up to four words of the same clause, LINK for "and", "then" or a comma, SIDE for a left or right
that is not a limb's, and the names of ``_NAMES`` for theirs. Rows of actions the corpus does not have cost
nothing. Knows no grammar.
"""

from __future__ import annotations

import re

LIMB = (
    "(?:foot|leg|hand|arm|forearm|fist|knee|elbow|shoulder|wrist|ankle|thigh|palm|toe|heel|ear|one|hook|jab|"
    "cross|uppercut|punch|kick)"
)
_NAMES = {
    "GO": "(walk|stroll|move|step|pace|go|wander|stride|travel|amble|proceed|saunter|totter|toddle"
    "|trudge|plod|roam|hike)",
    "RUN": "(run|jog|sprint|trot|race|dash)",
    "LEAP": "(jump|leap|hop|bounce|bound|spring)",
    "RING": "(circle|circular|ring|loop|lap|round|clockwise|counterclockwise)",
    "RISE": "(raise|lift|hold|put|bring|reach|throw|move|swing|extend|stretch)",
    "HIGH": "(up|overhead|above|over|air|high|skyward|sky|ceiling)",
    "ONE_LEG": "(one|single|left|right) (leg|foot|one)",
    "STAIR": "(stair|step|staircase|stairway|ladder)",
    "UPWARD": "(back |straight |right )*up",
    "ACROSS": "(side to side|left and right|left to right)",
    "WIPE_SIDEWAYS": "(wipe|clean|rub) ~ (back and forth|side to side)",
    "SIDE": rf"(left|right)\b(?! (and (left|right) )?{LIMB}\b)",
    "LINK": "((and|then|,) )+",
}

_TABLE = r"""
stand: stand; stand ~ still; wait; idle; not move; (stay|remain|keep) ~ still; do nothing; motionless; wait
    stand; (stand|wait) ~ (do nothing|idle|in place); rest
walk: walk; stroll; step; wander; stride; amble; saunter; pace; GO ~ (forward|ahead|straight|straight line);
    take ~ step; take ~ step ~ (forward|ahead); (head|set|start)
    (off|out|over|away|ahead|forward|along|home|for|to|toward); GO (off|away|over|past|out|along|on)( to
    ~)?; make ~ way (along|over|across|to|through|toward|past|forward|off); trudge; plod; tread; trek; hike;
    roam; ramble; approach; advance; mosey; traipse; go for ~ (walk|stroll); take (walk|stroll); GO
    (up|down|along) ~
    (path|road|street|lane|hall|hallway|aisle|corridor|drive|alley|sidewalk|pavement|beach)
walk backward: GO ~ (backward|back)( ~ straight line)?; take ~ step ~ (backward|back); back (up|away); back;
    retreat; backward; (GO|back|head) ~ in reverse; (edge|inch|shuffle|creep|shy) ~ (back|backward|in
    reverse); edge away ~ in reverse; reverse; backpedal; withdraw
sidestep: side step; sidestep; (GO|shuffle|slide) ~ sideways( ~ SIDE)?; (GO|shuffle|slide|sidestep|side
    step) (to |toward |over |over to )?SIDE; side shuffle; shuffle ~ side; take ~ step ~ SIDE;
    (step|move|walk) ~ to ~ side; shuffle; strafe; (edge|inch|sidle|scoot|scuttle|crab|glide) (over |off
    )?(to )?(sideways|SIDE)( ~ SIDE)?; sidle; (scuttle|edge|inch|scoot|slide|shuffle) across( to)? SIDE
jog: run; jog; trot; RUN ~ (forward|ahead|straight); run ~ (slow|in place); slow run; lope; canter
run: RUN; RUN ~ (forward|ahead|straight|fast|quick)( ~ (fast|quick))?; bolt; dart; rush; gallop; charge
    (forward|ahead|toward|at|along|off); (tear|speed|hurtle|hurry)
    (off|along|ahead|forward|away|across|toward); run off; flee; leg it
sprint: run; sprint; dash; race; RUN ~ (forward|ahead|straight|fast|quick)( ~ (fast|quick))?; RUN ~ (full
    speed|top speed|as fast ~ possible)
walk in a circle: (GO|circle) ~ RING( ~ RING)?( ~ SIDE)?; circle around; circle ~ SIDE
jog in a circle: RUN ~ RING( ~ RING)?( ~ SIDE)?; (do|run|jog|make) ~ lap ~ (run|jog|trot); lap ~
    (run|jog|trot)
figure eight: (GO|RUN) ~ (figure|shape ~|form) (eight|8)( pattern)?; (make|trace|do|form) ~ (figure|shape
    ~|form) (eight|8); figure (eight|8); (GO|RUN) ~ circle ~ SIDE LINKin circle ~ SIDE; (GO|RUN) ~ two loop
    ~ (eight|8)
walk in a curve: GO ~ (curve|arc|semicircle|bend|bear|veer)( ~ SIDE)?; veer ~( while walk)?; GO ~
    (LINK|while )(curve|bear|veer|arc|swerve)( ~ SIDE)?; GO ~ while turn( ~ SIDE)?; (move|walk|go) ~ to
    SIDE; GO ~ turn ~ SIDE; (curve|swerve|veer)( ~ SIDE)?
zigzag: (GO ~ )?(zigzag|zig zag|serpentine|slalom|snake|s shape)( pattern)?; weave; weave ~ (while|as) walk;
    GO ~ (LINK|while )?weave ~; zigzag ~ forward
turn: turn; (turn|spin|swivel) around; spin; swivel; rotate; pivot; twirl; face ~ SIDE; (turn|spin|rotate) ~
    circle; (turn|spin|rotate|swivel) ~ (SIDE|degree)( ~ SIDE)?; do ~ (turn|spin); revolve; about face;
    (swing|whip|wheel) (round|around|about)( ~ SIDE)?( face ~ SIDE)?; swivel round
jump turn: LEAP ~ (LINK|while )?(turn|spin|rotate)( ~ (around|circle|degree|halfway))?( ~ SIDE)?( ~ air)?;
    LEAP ~ (degree|turn|spin)( ~ SIDE)?; (do|perform) ~ degree jump( ~ SIDE)?; (spin|turn) ~ in air;
    (do|make|perform) ~ (180|360|turn|spin) ~ air
step touch: step touch; dance ~ step ~ side to side; step ~ side to side( ~ music)?; (do|perform) ~ step
    touch( dance)?; dance ~ step ~ left and right; step left and right( ~ swing ~ arm)?; groove ~ side to
    side; dance
shoot: shoot ~ (ball|basketball|hoop); (shoot|take|make) ~ (basketball|jump|free)? ?(shot|throw); throw ~
    basketball( ~ hoop)?; shoot ~ overhead; shoot; free throw( ~ ball)?; shoot free throw ~ behind ball
spin: spin; spin around; twirl; whirl; whirl around; pirouette; (spin|twirl|whirl|pirouette) ~
    (SIDE|clockwise| counterclockwise)( on one foot)?; spin ~ on one foot; spin ~ circle; (spin|twirl) ~
    SIDE; turn ~ circle; pirouette; do ~ spin
turn around and walk back: (GO ~ LINK)?turn ~ LINK(walk|come|go|head|stroll|move|return|back) ~ back; GO ~
    LINK(turn|spin|pivot) ~ LINK(walk|return|come|go|head|move|stroll)( ~ (back|return))?; GO ~ back and
    forth; GO ~ LINKreturn; GO ~ LINK(walk|come|go) back; turn ~ LINKreturn; GO ~ LINKback again
stop and start: (GO|take ~ step) ~ LINK(stop|pause|halt) ~ LINK((GO|RUN) on(?! tip| toe)|continue ~
    walk|continue|keep walk|resume ~|go on|walk again|take ~ more|start ~ again|begin ~ again); stop ~
    middle of walk ~ LINKgo on; stop ~ LINK(continue|keep walk|resume)
tiptoe: tiptoe; tip toe; (GO|sneak|creep) ~ (tiptoe|tip toe|on toe); on toe; sneak; tiptoe ~ forward;
    (creep|sneak|walk|pad|go|step|steal) ~ (ball|tip) of (foot|toe); (ball|tip) of (foot|toe)
crouch walk: (sneak|creep) ~ (low|crouch|hunch|bend); (sneak|creep) ~ (low|bend) low; sneak; creep; duck
    walk; crouch walk; prowl; GO ~ (while |as )?(crouch|squat|hunch|stoop|low)( down| over| low)?; crouch ~
    and walk( forward)?; GO ~ (bend|crouch) low; GO ~ in ~ (crouch|squat); (crouch|hunch|stoop) ~ (while|as)
    walk
march: march; stomp; goose step; high knee; GO ~ (lift|raise|bring) ~ knee( ~ (high|up))?; GO ~ like
    soldier; (GO ~ )?(knee high|knee up); GO ~ with ~ high ~ (knee|step); parade; strut
limp: limp; hobble; GO ~ (limp|injure|injury|hurt); limp ~ forward
stagger: stagger; stumble; wobble; drunk; stumble ~ like drunk; GO ~ (drunk|unsteady|intoxicate|uneven)(
    person)?; lurch; GO ~ unsteady LINKsway( ~ side to side)?; sway LINKstagger ~; (struggle|fight|try) ~
    balance( while GO)?; (stagger|stumble|wobble) ~ (forward|around|ahead)
moonwalk: moonwalk; moon walk; (moonwalk|moon walk|glide|slide|dance) ~ (backward|back)( like michael)?;
    michael jackson; do ~ (moonwalk|moon walk); (slide|glide) ~ backward LINKdrag foot ~ floor
jump: LEAP; LEAP ~ (up|in place|air|high|on spot); LEAP up and down; LEAP ~ (both|two) foot
jump forward: LEAP; LEAP ~ (forward|ahead)( ~ (both|two) foot)?; (long|broad) jump; LEAP ~ over
jump sideways: LEAP; LEAP ~ (SIDE|sideways)( ~ (both|two) foot)?; LEAP ~ sideways ~ SIDE; LEAP ~ to ~ side
jump backward: LEAP; LEAP ~ (backward|back)
jump over: LEAP; LEAP ~ (over|across)( ~ (object|something|obstacle|hurdle|box))?( ~ both foot)?; hurdle;
    clear ~ (obstacle|object|something) ~ jump; clear ~ obstacle; vault; LEAP ~ over object LINKpull ~ up
    knee
hop: hop; (hop|LEAP) ~ on ~ ONE_LEG; hop ~ (forward|in place)( ~ on ~ ONE_LEG)?; LEAP ~ ONE_LEG; stand ~ on
    ~ ONE_LEG LINKhop( ~ (forward|in place))?
skip: skip; skip ~ (forward|ahead|along); GO ~ (forward|ahead)? ?skip; GO ~ (with|in) skip ~ step
jumping jacks: jump jack; star jump; (do|perform|exercise) ~ jump jack; jumpingjack
squat: squat; crouch; bend ~ knee; knee bend; (squat|crouch) ~ LINK(stand|get|rise|come) ~ up; lower ~ body;
    bend ~ knee LINKlower ~ down; bend ~ knee LINK(stand|straighten); (squat|crouch) down; go down; hunker;
    (sink|dip|drop|go) ~ (squat|haunch); sink ~ low ~ (up|rise|stand)
sit down: sit; sit down; take seat; (lower|ease|settle) ~ (seat|chair|stool|bench); sit ~
    (chair|stool|bench); seat; (lower|ease|settle|sink|drop|slump|flop|plop|plonk|flop|collapse) ~
    (seat|chair|stool|bench|armchair|sofa|couch); perch; take ~ (place|seat) ~ (seat|chair|stool|bench)
sit on the floor: sit; sit down; (sit|seat) ~ (floor|ground); (lower|get|go|drop) ~ (floor|ground|down) ~
    LINKsit ~ (floor|ground)?; (lower|get|go|drop) ~ (floor|ground) LINKsit; take seat ~ (floor|ground); sit
    ~ cross leg; sit ~ leg (stretch|straight|extend|out) ~; sit ~ (floor|ground) ~ LINKextend ~ leg; cross
    leg after sit down on (floor|ground); sit ~ indian style; cross leg; (plonk|plop|drop|park) ~
    (bottom|bum|behind|down) ~ (floor|ground|carpet|mat|rug|grass)
stand up: stand UPWARD; (rise|get|stand|come) ~ (from|off|out) ~ (seat|chair|stool|bench); rise; get up;
    rise ~ (foot|up); get ~ to foot; get off chair; (rise|get|stand|come|push|spring|hop|climb) ~
    (from|off|out) ~ (seat|chair|stool|bench|armchair|sofa|couch)
get up: get (back )?up; stand UPWARD; rise; rise ~ (foot|up); get ~ to foot; sit up; sit up LINKstand up;
    (rise|get|stand|come|push) ~ (from|off) ~ (floor|ground|knee|stomach|back|belly)( ~ (face
    down|sit|back))?; (rise|get|stand) ~ from chair on (floor|ground); (push|get) ~ (off|from|onto) ~
    (floor|ground|knee) LINKstand( up)?; (scramble|clamber|struggle) ~ (up|foot);
    (scramble|clamber|struggle|climb|get) ~ (up|onto|to) ~ foot; (get|climb|roll|jump) ~ (out|off) ~ bed;
    pick (himself|herself|themselves|itself|yourself|oneself) up
lie down: lie; lie ~ (down|back|flat|face down); lie ~ (floor|ground|back|stomach|belly|front); recline; go
    from stand to lie( down)?; (get|go|lower|kneel|sit) ~ LINKlie ~ (down|back|floor|ground|belly|stomach)(
    ~ (floor|ground|belly|stomach|back))?; (sit|get) ~ (floor|ground|knee) LINKlie ~ (down|back)( ~
    (floor|ground|belly|stomach|back))?; sprawl; stretch out ~ (floor|ground|flat|back|bed)
kneel: kneel; (on|onto) ~ knee; (go|get|drop|sink|fall|bend|lower) ~ knee; kneel down; genuflect; take knee;
    kneel ~ LINK(stand|get|rise|come) ~ up
crawl: crawl; on (all four|hand and knee); crawl ~ on (hand and knee|all four); GO ~ (on )?(hand and
    knee|all four); crawl ~ (floor|ground|forward|ahead)
push-ups: push up; pushup; press up; (do|perform|exercise) ~ (push up|pushup|press up)( ~ floor)?; push up
    from (floor|ground); plank; lower and raise body ~; lower and raise body with arm in plank
pick up: pick; pick ~ up; pick ~ up ~ (floor|ground); (reach|bend) ~ (ground|floor); scoop ~ up; grab; grab
    ~ (ground|floor|off); bend ~ (LINK|to )(pick|grab|reach|get|lift|take|collect)( ~
    (up|object|something))?; scoop; lift ~ (object|something|item|thing); (gather|collect);
    (reach|lean|stoop) ~ down; (stoop|bend|reach|lean|crouch|duck) ~ (LINK|to
    )?(grab|collect|get|fetch|retrieve|snatch|take|gather)( ~ (up|off|floor|ground))*;
    (retrieve|fetch|snatch|take|lift|collect|gather) ~ (off|from) ~
    (floor|ground|carpet|pavement|street|road|grass)
put down: (put|set|place|lie|lower|drop) ~ (object|something|item|it|what) ~
    (down|floor|ground|table|shelf); (put|set|lie) ~ down; put down ~ what they hold; (?<!in )place(?! foot|
    hand| leg| arm); drop ~ (object|something); bend ~ LINK(put|set|place|lower|lie) ~
    (down|floor|ground|table); lower ~ something ~ head LINK(set|put|place) ~ (down|floor|ground|table)
lift overhead: (lift|raise|press|hoist|hold|push) ~ (object|something|weight|barbell|item) ~ HIGH( ~ head)?(
    ~ both (arm|hand))?( LINKbring ~ down)?; (lift|raise|press|hoist) ~ (object|something|weight|barbell);
    (pick|bend) ~ LINK(lift|raise|press|hoist) ~ (over|above|overhead)( head)?; (pick|bend) ~
    LINK(raise|lift) ~ overhead; overhead press; lift weight; weightlift; press ~ overhead
push: push; shove; push ~ (forward|away); press ~ against ~; thrust ~ arm ~ forward( as if push)?;
    (press|thrust) ~ forward ~ push
pull: pull; tug; drag; haul; yank; pull ~ (back|toward); reach ~ LINKpull ~ (back|toward)
carry: carry; GO ~ (while )?(carry|hold) ~ (object|something|package); hold ~ (object|something); carry ~
    while walk; (bring|move|transport|take) ~ (object|box|package)( ~ forward)?; carry ~ (object|package) ~
    (forward|arm)
kick: kick; swing ~ (leg|foot) ~ kick; (front|forward) kick; (do|perform|throw) (one |two |three |front
    |forward |high )*kick; kick ~ forward; kick ~ (left|right) (leg|foot) out; boot; punt;
    (swing|snap|whip|lash|thrust|fling) ~ (leg|foot) ~ (out|forward); (take|have) ~ shot ~ (foot|leg)
side kick: kick; side kick; sidekick; kick ~ (sideways|SIDE|to ~ side); (do|perform|throw) ~ (side|sideways)
    kick; thrust ~ (leg|foot) ~ (to side|sideways); kick ~ (left|right) side; kick ~ (leg|foot) ~ to side
back kick: kick; back kick; kick ~ (backward|back|behind); mule kick; (do|perform|throw) ~ back kick; thrust
    ~ (leg|foot) ~ (backward|back|behind); kick ~ (leg|foot) back
roundhouse kick: kick; (roundhouse|round house)( kick)?; (do|throw|perform) ~ (roundhouse|round house) kick
knee strike: knee strike; (strike|hit|thrust|throw|drive) ~ (knee|knee strike)( up)?; knee
    (opponent|someone|enemy); pull ~ hand down LINKlift ~ knee( hard)?; knee kick; (throw|do|perform) ~ knee
    strike; knee (opponent|someone) with ~ knee
balance: balance; (stand|balance|pose) ~ on ~ ONE_LEG; (lift|raise|hold) ~ (knee|leg|foot); flamingo;
    (raise|lift|hold) ~ (knee|leg|foot) ~ LINK(balance|stand) ~( on ~ ONE_LEG)?
lunge: lunge; (step|do) ~ lunge( ~ forward)?; lunge forward; split squat
wave: wave; greet; (say|gesture) ~ (hi|hello|goodbye|bye); wave ~ (hi|hello|goodbye|bye); flag down
raise arms: RISE ~ (arm|hand) ~ HIGH; (raise|lift) ~ (arm|hand); (arm|hand) ~ HIGH; RISE ~ (arm|hand) ~ HIGH
    ~ (head|air); (raise|lift) ~ (arm|hand) ~ LINKlower ~; (stick|shoot|thrust|get|fling) ~ (arm|hand) ~
    HIGH; (arm|hand) (raise|lift|stick up)
arms out: (hold|stretch|spread|extend|put|open|raise|reach|lift) ~ (arm|hand) ~
    (out|side|sideways|wide|apart); t pose; (do|make|form) ~ t pose; (spread|extend|open|outstretch) ~ arm;
    (stretch|hold|extend) ~ (arm|hand) ~ out ~ (side|sideways); (hold|stretch|extend|raise|lift) ~
    (arm|hand) ~ to ~ side; arm ~ (outstretch|spread|wide|out)
clap: clap; applaud; applause; (bring|put|hit|slap|smack) ~ (hand|palm) ~ together; clap ~ (hand|together)
punch: punch; jab; box; (throw|land) ~ punch; hit; strike; (hit|strike) ~
    (fist|something|air|bag|opponent|someone|forward); shadow box; spar; (throw|do) ~ jab; (throw|punch) ~
    (alternate|swap) ~ hand; punch ~ (forward|ahead); (throw|land|deliver|fire off|give) ~
    (punch|jab|cross|blow|hook|uppercut|haymaker); wallop; thump; sock; slug
box: punch; box; (throw|land) ~ punch; box ~ (air|fist); (throw|punch) ~ (alternate|swap) ~ hand; throw
    punch with alternate hand; shadow box; spar; throw ~ jab and ~ cross; throw ~ combination ~ punch; punch
    ~ (left|right) hand LINK(left|right) hand; punch ~ (forward|ahead)( again and again)?( LINKswap hand)?;
    jab
hook: punch; (throw|land) ~ punch; hook; (throw|swing|punch|land|do) ~ hook( punch)?( from guard)?; hook
    punch; (left|right) hook; swing ~ fist( around)?; punch from side
uppercut: punch; (throw|land) ~ punch; uppercut; upper cut; (throw|punch|do|perform|land) ~ (uppercut|upper
    cut); punch ~ up; swing ~ fist ~ up( from below)?; dip ~ LINKpunch ~ up
chop: chop; (swing|slash|strike|cut|hit|chop) ~ (sword|axe|ax|stick|hammer)( ~ down)?;
    (swing|slash|strike|cut|hit|chop|bring) ~ down( ~ (overhead|sword|stick|axe))?( hold)?; sword; slash;
    swing ~ axe; raise ~ (hand|arm|sword|axe) ~ (head|overhead) LINK(swing|cut|bring|strike) ~ down; lift
    sword ~ LINKcut down; strike down from overhead
block: block; defend; guard; shield; parry; deflect; protect; cover up; (raise|lift|hold|put) ~
    (arm|forearm|hand) ~ (block|protect|defend|shield)( ~ (head|face|body|punch|attack|blow))?;
    (raise|lift|hold|put) ~ (arm|forearm|hand|fist) ~ front ~ face; lean back LINKblock;
    (defend|block|shield) ~ arm raise; (hold|raise) ~ forearm
throw: throw; toss; pitch; lob; hurl; fling; (throw|toss) ~ (ball|something|object|item); throw ~
    (overhand|over ~ head); overhand; (throw|pitch|hurl) ~ baseball; chuck; sling; heave
throw underhand: throw; toss; lob; (throw|toss|pitch) ~ (underhand|underarm|softball|below); bowl; roll ~
    ball; underhand; underarm; (throw|toss) ~ (ball|something|object|item); swing arm ~ LINK(throw|toss) ~
    underhand; swing (left|right) arm back LINKthrow ~ underhand
catch: catch; receive; (catch|receive) ~ ball( LINKhold ~ chest)?; (grab|snatch) ~ (out of|from) air; reach
    ~ catch( ~ (something|ball))?; (grab|catch) ~ something ~ air
dribble: dribble; bounce ~ (ball|basketball); basketball; dribble ~ (ball|basketball|in place)
golf swing: golf; (swing|hit|play|take) ~ golf( (club|ball|swing))?; tee off;  swing; swing ~ club; lift ~
    golf club ~ LINKswing ~; drive ~ golf ball; take ~ swing
tennis forehand: tennis; (swing|hit|play|return) ~ (tennis|racket)( (ball|racket|forehand))?; forehand;
    (hit|play|swing) ~ forehand; swing ~ arm across body( as in tennis)?; swing; hit ball with racket ~;
    return ~ tennis ball; hit ~ ball; take ~ swing
tennis serve: tennis; serve; (do|perform|serve|hit|make) ~ tennis ~ (serve|ball); toss ball up LINKhit ~;
    serve ~ (ball|overhead); swing ~ arm overhead to serve ball; (do|perform|make) ~ serve; (swing|hit|play)
    ~ (tennis|racket)( (ball|racket))?; swing; tennis serve; hit ~ overhead
swing bat: (swing|hit) ~ (bat|baseball)( ~ bat)?; bat; swing; (take|make) ~ swing ~ (bat|baseball bat); hold
    bat ~ LINKswing ~; take ~ swing; baseball bat
swim: swim; (breast|back|front) ?(stroke|crawl); freestyle; (do|swim) ~ (stroke|crawl|butterfly);
    breaststroke; backstroke; (do|make|perform|mime|pretend|swim) ~ (front crawl|backstroke|breaststroke)( ~
    (stroke|air))?; (make|perform) ~ swim( motion)?( ~ (front crawl|backstroke|breaststroke))?; pretend ~
    swim( ~ (front crawl|backstroke|breaststroke))?; swim ~ arm; front crawl stroke; mime
drink: drink; sip; (cup|bottle|glass) ~ (mouth|lip); (bring|raise|lift) ~ (hand|cup|glass) ~ mouth
    LINKdrink; (take|have) ~ (drink|sip); gulp; swig; (take|have) ~ (swig|gulp)
eat: eat; bite; chew; feed; (take|have) ~ bite( of food)?; spoon; (bring|put|place) ~ food ~ mouth; snack;
    (lift|raise|bring) ~ hand ~ mouth ~ eat; eat with spoon; food
phone: phone; telephone; cellphone; (talk|speak|hold|answer|make|take|use|look) ~ (phone|call|cellphone);
    (take|make|answer) ~ phone call; phone call; (hold|bring|put) ~ phone ~ ear; on phone;
    (hold|press|put|bring) ~ (mobile|handset|receiver|it) ~ ear; (chat|talk|speak) ~ mobile
wipe table: wipe; clean; scrub; polish; dust; rub; (wipe|clean|scrub|polish|rub|dust) ~
    (table|tabletop|counter|desk|flat surface|surface); WIPE_SIDEWAYS; (make|do) ~ wipe circle; move ~ hand
    ~ (table|counter|surface) ~ clean; wipe ~ circle
wipe window: wipe; clean; scrub; polish; rub; (wipe|clean|scrub|polish|rub|wash) ~ (window|mirror|wall|glass
    pane|glass|pane); (wipe|clean|rub) ~ (up and down|side to side); (make|do) ~ wipe circle; move ~ hand ~
    (window|mirror|wall) ~ clean; wipe ~ circle
wash hands: wash; (wash|scrub|clean|rinse|lather|rub) (both )?hand( together)?( as if wash)?( ~
    (sink|basin|soap))?; rub ~ hand ~ together; clean ~ hand ~ (sink|basin); rinse; scrub
wash face: wash; (wash|scrub|clean|rub|wipe|splash) ~ face; splash ~ water( ~ face)?; rub face with hand;
    bring ~ hand ~ face LINKrub( ~ (face|it))?; scrub
play guitar: guitar; (play|strum|pretend|air) ~ guitar( LINKstrum)?; strum; air guitar; (play|strum) ~
    instrument; play ~ tune ~ guitar; play air guitar
play violin: violin; fiddle; (play|pretend) ~ (violin|fiddle)( LINKbow)?; play ~ tune ~ violin; draw bow ~
    violin; (play|strum) ~ instrument
play drums: drum; (play|beat|hit|pretend) ~ drum( ~ stick)?; (hit|beat) drum with two stick; (play|strum) ~
    instrument
stir: stir; whisk; mix; (stir|mix|whisk) ~ (pot|bowl|soup|something); move ~ hand ~ circle as if stir; cook
    LINKstir; cook; mix something in bowl
type: type; keyboard; (type|tap|play|work) ~ keyboard; (type|write|work) ~ computer; play ~ finger ~
    keyboard; type with hand
comb hair: comb; (comb|brush|stroke|fix|style|do) ~ hair; run ~ hand ~ hair( slow)?; brush; stroke hair back
steer: steer; drive; (steer|turn|rotate|hold) ~ wheel( ~ (SIDE|side))?; (drive|steer) ~ car; drive ~
    LINK(turn|steer) ~( wheel)?( ~ SIDE)?; hold steer wheel LINKturn ~( SIDE)?; steer wheel
check watch: watch; (look|glance) ~ (watch|wrist); check ~ (watch|time); (raise|lift) ~ (arm|wrist|hand) ~
    (LINK|to )(look|see|check) ~ (watch|time); (raise|lift) (left|right) arm LINKlook ~ watch
look at hand: (look|stare|gaze|peer) ~ at ~ (hand|palm|finger); (examine|inspect|study) ~
    (hand|palm|finger); inspect palm of ~ hand; (raise|lift|hold|bring) ~ hand ~ (LINK|to
    )(look|examine|study|inspect|take look)( ~ (it|at it|hand))?; hold (left|right) hand up in front of face
    LINKstudy; bring (left|right) hand up to take look
scratch head: scratch; (scratch|rub) ~ (head|hair); (raise|bring|lift) ~ (hand|arm) ~ (LINK|to )scratch( ~
    (head|hair))?; bring ~ hand ~ head to scratch
salute: salute; (bring|raise|put|lift|touch) ~ hand ~ (forehead|brow|temple)( ~ (LINK)?salute)?;
    (give|make|do) ~ salute
shrug: shrug; shrug ~ shoulder; (raise|lift|move) ~ shoulder( ~ (up|shrug))?; (give|do) ~ shrug; raise
    shoulder LINKdrop; spread hand LINKshrug; lift shoulder up in shrug; shrug with open hand
stop sign: (hold|put|extend|stick|raise) ~ hand ~ (out|forward|up) as if to stop( someone)?;
    (hold|put|extend|stick) ~ hand ~ (out|forward|up) ~ (front|stop); signal ~ stop; (make|do|give) ~ stop
    (sign|gesture|signal); gesture ~ stop; say stop; (hold|put) ~ hand ~ out in front; stop
    (sign|signal|gesture); (extend|hold|put|raise) ~ (hand|arm) ~ (forward|out|up) ~ stop( someone)?
point: point; (raise|lift|extend) ~ (arm|hand|finger) ~ (to |LINK)?point ~; gesture; point ~
    (forward|ahead|up|SIDE); (gesture|point) ~ (up|SIDE|forward|ahead|sky); point at something ~
cross arms: (cross|fold) ~ arm; arm ~ (cross|fold); cross ~ arm ~ chest; put arm ~ cross position; stand
    with (cross|fold) arm
hands on hips: ((put|place|rest|hold|set|plant|with) ~ )?hand ~ (on|to|at) ~ (hip|waist); akimbo; arm
    akimbo; hand ~ (hip|waist) ~ elbow out; (put|place|rest|plant|with) ~ (fist|palm|hand) ~ (hip|waist)
bow: bow; bend ~ (waist|forward|over|down); bend; take ~ bow; bow ~ down; lean ~ (forward|over); bend
    forward ~ waist( LINK(straighten|stand|rise|come) ~)?; bend ~ LINKstraighten ~
nod: nod; (move|shake|tilt|bob) ~ head ~ up and down; nod ~ head; head ~ up and down; nod ~ yes
shake head: shake( (his|her|their|its))* head; (turn|move|swing|shake) ~ head ~ ACROSS; shake ~ head ~ no;
    head ~ side to side; (wag|swing) ~ head( ~ ACROSS)?
look around: look(?! like| as); glance; (turn|move|rotate) ~ head; look ~ (around|side to side|left|right);
    scan; peer; survey; search; (turn|move) ~ head ~ (left|right) (LINK)?(to )?(left|right); look (to )?SIDE
    LINK(to )?(other )?SIDE; (turn|move|swing) ~ head ~ ACROSS; gaze; (look|peer|glance|gaze) ~ (both
    way|both side|this way and that|about|around); (look|check|glance|peer) ~ both (way|side|direction)
stretch: stretch; stretch ~ (arm|side|SIDE); stretch ~ (arm|hand) ~ (above|over|overhead|up)( ~ head)?; side
    bend; stretch ~ with ~ arm ~ (overhead|over ~|above ~); (lean|bend) ~ SIDE( ~ (raise|overhead)( arm)?)?;
    lean ~ (SIDE|side) ~ raise arm
dance: dance; sway; waltz; salsa; groove; cha cha; ballet; tango; (sway|swing|move) ~ (hip|music|side to
    side); (do|perform) ~ dance; sway ~ (side to side|music); dance ~ (LINK)?sway( ~ hip)?; twist; rock ~
    side to side; boogie; bop; jive; rock ~ (body|hip) ~ (ACROSS|music|song|beat); move ~ beat
twist: twist; (rotate|turn|twist|swivel) ~ (torso|waist|upper body|hip|body)( LINKshoulder)?( ~ (side to
    side|back and forth|twist))?; dance ~ twist( ~ (hip|shoulder))*; (do|dance) ~ twist; swivel ~
stairs up: climb; (GO|climb|RUN) ~ up ~ STAIR; ascend; (GO ~ )?upstairs; (climb|ascend) ~ STAIR; GO up(?!
    to); climb up ~ STAIR; ascend flight ~ stair; take ~ step up ~ STAIR?; stair; step up STAIR
stairs down: (GO|climb|RUN) ~ down ~ STAIR; descend; (GO ~ )?downstairs; (descend|climb down) ~ STAIR; GO
    down; stair; take ~ step down( ~ STAIR)?; descend flight ~ stair
step over: step ~ (over|across)( ~ (obstacle|something|object|barrier|hurdle))?; (walk|go|climb) ~ over( ~
    (obstacle|something|object|barrier))?; lift foot ~ step over ~ object; (raise|lift) ~ (leg|foot|knee) ~
    (LINK|to )step over( ~ (something|object))?; (walk|GO) ~ LINKstep over( ~ (something|object))?; step
    across obstacle one leg after other; over obstacle in way
"""

# What belongs to an action, so that a true sentence about it may name it too. None of it makes the sentence
# name the action.
_ALSO = """
tiptoe: walk, crouch walk
crouch walk: squat, walk, tiptoe, bow
march: walk, balance
limp: walk
stagger: walk, limp, dance, balance
moonwalk: walk, walk backward, dance
walk in a circle: walk, turn
jog in a circle: jog, run, turn
figure eight: walk, jog, run, walk in a circle, jog in a circle
stop and start: walk
walk in a curve: walk, turn
zigzag: walk, walk in a curve, turn
turn around and walk back: walk, turn, walk backward
turn: spin
spin: turn
sidestep: walk
jump: squat
jump forward: squat
jump sideways: squat
jump backward: squat
jump over: squat, jump forward, run, jog
hop: balance, jump, jump forward
skip: hop, jump, walk
jumping jacks: jump, arms out, raise arms, clap
squat: stand up
pick up: squat, bow, stand up, kneel
put down: squat, bow, stand up, kneel, carry
lift overhead: raise arms, pick up, squat, bow, put down, carry
kneel: squat, stand up, get up
crawl: kneel
lie down: sit down, sit on the floor, kneel
get up: stand up, sit down, sit on the floor, kneel, lie down
sit on the floor: sit down, cross arms
push-ups: lie down
carry: walk, pick up
push: walk, bow, raise arms
pull: walk, walk backward, raise arms
kick: balance
side kick: balance, bow
back kick: balance, bow
knee strike: balance, pull
lunge: walk, squat, kneel
wave: raise arms
point: raise arms, arms out
salute: raise arms
hook: punch
uppercut: punch, squat
box: punch
chop: raise arms, lift overhead
block: raise arms, bow
arms out: raise arms
throw underhand: throw
catch: raise arms
drink: raise arms
eat: raise arms
phone: raise arms
check watch: raise arms, look around
look at hand: raise arms, look around
scratch head: raise arms
stop sign: raise arms, arms out
shrug: arms out
wash face: raise arms
play violin: play guitar
bow: stand up
nod: look around
shake head: look around
stretch: raise arms, arms out
stairs up: walk
stairs down: walk
step over: walk, march, balance
"""
# Standing goes with everything.
ALWAYS = frozenset({"stand"})
# Actions that are others in a row: sentences about them say the others.
IN_A_ROW = {"walk to run": ("walk", "run")}


def _rows(table: str) -> list[tuple[str, str]]:
    """Names and what follows their colon; an indented line goes on with the row above."""
    rows = re.sub(r"\n +", " ", table.strip()).splitlines()
    return [(name, rest) for name, _, rest in (row.partition(": ") for row in rows)]


def _regular(pattern: str) -> str:
    """The pattern with its names replaced and its groups not captured."""
    # Long names first: one may hold another.
    for name in sorted(_NAMES, key=len, reverse=True):
        pattern = pattern.replace(name, _NAMES[name])
    return re.sub(r"\((?!\?)", "(?:", pattern)


PATTERNS: dict[str, tuple[str, ...]] = {
    action: tuple(_regular(pattern.strip()) for pattern in patterns.split(";"))
    for action, patterns in _rows(_TABLE)
}
COMPANIONS: dict[str, frozenset[str]] = {action: frozenset(also.split(", ")) for action, also in _rows(_ALSO)}
