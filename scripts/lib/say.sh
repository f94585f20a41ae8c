# What the scripts print: headings, commands with their real output, checks and the summary.
# Not for: doing anything. Sourced by bash; colour only where a person looks at a terminal.

if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ] && [ -z "${NO_COLOR:-}" ]; then
  BOLD=$'\e[1m' DIM=$'\e[2m' GREEN=$'\e[32m' RED=$'\e[31m' CYAN=$'\e[36m' RESET=$'\e[0m'
else
  BOLD='' DIM='' GREEN='' RED='' CYAN='' RESET=''
fi

STEP_NAMES=()  # titles of the steps so far
STEP_BAD=()    # for each step: how many of its checks failed
STEP_NOTES=()  # for each step: a figure worth repeating in the summary, or nothing
OUT=''         # what the last shown command printed (stdout and stderr)
STATUS=0       # and its exit status

say() { printf '%s\n' "$*"; }

# One short line of progress, for set-up work.
doing() { printf '%s==>%s %s\n' "$CYAN" "$RESET" "$*"; }

die() {
  printf '%serror:%s %s\n' "$RED" "$RESET" "$1" >&2
  shift
  local line
  for line in "$@"; do printf '       %s\n' "$line" >&2; done
  exit 1
}

# step TITLE: opens a step; checks that follow count for it.
step() {
  STEP_NAMES+=("$1")
  STEP_BAD+=(0)
  STEP_NOTES+=('')
  LAST_SILENT=no
  printf '\n%s%s. %s%s\n' "$BOLD" "${#STEP_NAMES[@]}" "$1" "$RESET"
}

# explain TEXT...: a line or two of what is going to happen, and why.
explain() {
  local line
  [ "$LAST_SILENT" = no ] || printf '\n'
  LAST_SILENT=no
  for line in "$@"; do printf '   %s\n' "$line"; done
}

# note TEXT: the figure that the summary repeats beside the step's title.
note() { STEP_NOTES[$((${#STEP_NAMES[@]} - 1))]=$1; }

# show COMMAND...: prints the command and its output as it is; leaves them in OUT and STATUS.
show() {
  print_command "$(as_typed "$@")"
  OUT=$("$@" 2>&1) && STATUS=0 || STATUS=$?
  print_output "$OUT"
}

# show_only PATTERN COMMAND...: as show, but prints only the lines that match.
show_only() {
  local pattern=$1
  shift
  print_command "$(as_typed "$@") | grep -E '$pattern'"
  OUT=$("$@" 2>&1) && STATUS=0 || STATUS=$?
  print_output "$(grep -E -- "$pattern" <<<"$OUT" || true)"
}

# Commands that say nothing stand close together; around output there is a line of air.
LAST_SILENT=no
print_command() {
  [ "$LAST_SILENT" = yes ] || printf '\n'
  printf '   %s$ %s%s\n' "$CYAN" "$1" "$RESET"
}

print_output() {
  LAST_SILENT=yes
  [ -n "$1" ] || return 0
  LAST_SILENT=no
  sed "s/^/     ${DIM}/; s/\$/${RESET}/" <<<"$1"
}

# The command as a person would type it: our wrappers are functions, and have names to show.
as_typed() {
  case $1 in
    vsctl | ofctl | appctl) printf '%s%s' "$TOOL_PREFIX" "$1"; shift ;;
    in_test1) printf 'ip netns exec test1'; shift ;;
    in_test2) printf 'ip netns exec test2'; shift ;;
    *) printf '%s' "$1"; shift ;;
  esac
  local word
  for word in "$@"; do
    case $word in
      *[\ \;\*\|\(\)]*) printf " '%s'" "$word" ;;
      *) printf ' %s' "$word" ;;
    esac
  done
}

# check TEXT COMMAND...: a tick when the command succeeds, a cross when it does not.
check() {
  local text=$1
  shift
  LAST_SILENT=no
  if "$@" >/dev/null 2>&1; then
    printf '   %s✔%s %s\n' "$GREEN" "$RESET" "$text"
  else
    printf '   %s✘ %s%s\n' "$RED" "$text" "$RESET"
    local at=$((${#STEP_NAMES[@]} - 1))
    STEP_BAD[at]=$((STEP_BAD[at] + 1))
  fi
}

# Conditions for check, on OUT: has PATTERN (extended regular expression), has_line, lacks.
has() { grep -Eq -- "$1" <<<"$OUT"; }
has_line() { grep -Eqx -- "$1" <<<"$OUT"; }
lacks() { ! grep -Eq -- "$1" <<<"$OUT"; }

# summary: the list of steps; returns 1 when any check of any step failed.
summary() {
  local at bad=0
  printf '\n%sSummary%s\n' "$BOLD" "$RESET"
  for at in "${!STEP_NAMES[@]}"; do
    if [ "${STEP_BAD[at]}" -eq 0 ]; then
      printf '   %s✔%s %2d. %s' "$GREEN" "$RESET" $((at + 1)) "${STEP_NAMES[at]}"
    else
      printf '   %s✘ %2d. %s%s' "$RED" $((at + 1)) "${STEP_NAMES[at]}" "$RESET"
      bad=$((bad + 1))
    fi
    [ -z "${STEP_NOTES[at]}" ] || printf '  %s(%s)%s' "$DIM" "${STEP_NOTES[at]}" "$RESET"
    printf '\n'
  done
  if [ "$bad" -gt 0 ]; then
    printf '\n%s%d of %d steps did not show what they must.%s\n' \
      "$RED" "$bad" "${#STEP_NAMES[@]}" "$RESET"
    return 1
  fi
  printf '\n%sEvery step showed what it must.%s\n' "$GREEN" "$RESET"
}
