autoload -U +X bashcompinit && bashcompinit
_sessionkit() {
	local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" name="${COMP_WORDS[1]}" words=
	case "$previous" in
		-config|-file) COMPREPLY=($(compgen -f -- "$current")); return ;;
		-step) COMPREPLY=($(compgen -W "add use drop" -- "$current")); return ;;
	esac
	if [ "$COMP_CWORD" -eq 1 ]; then
		COMPREPLY=($(compgen -W "key schema migrate doctor list show revoke revoke-all stats audit completion" -- "$current"))
		return
	fi
	case "$name" in
		key)
			if [ "$COMP_CWORD" -eq 2 ]; then words="new check rotate"; name=; else name="key ${COMP_WORDS[2]}"; fi ;;
	esac
	case "$name" in
		"key new") words="-json -h" ;;
		"key check") words="-file -json -h" ;;
		"key rotate") words="-file -step -unused -yes -h" ;;
		"schema") words="-config -h" ;;
		"migrate") words="-config -yes -h" ;;
		"doctor") words="-config -json -user -h" ;;
		"list") words="-config -json -user -h" ;;
		"show") words="-config -json -h" ;;
		"revoke") words="-config -except -external -json -user -yes -h" ;;
		"revoke-all") words="-config -json -yes -h" ;;
		"stats") words="-config -json -h" ;;
		"audit") words="-actor -config -json -since -user -h" ;;
		"completion") words="bash zsh -h" ;;
	esac
	COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _sessionkit sessionkit
