package issuers

import "context"

// LookNow asks every issuer whose turn it is, and returns how many those were.
func (k *Keeper) LookNow(ctx context.Context) int {
	claims := k.due(ctx, atOnce)
	for _, claim := range claims {
		k.look(ctx, claim)
	}
	return len(claims)
}

// AskNow asks an issuer on demand, or waits for who asks it until ctx ends.
func (k *Keeper) AskNow(ctx context.Context, environment, issuer string) (fetched bool, err error) {
	return k.askNow(ctx, place{environment, issuer})
}

// Bounds that tests hold promises against.
const (
	Tick       = tick
	AskTimeout = askTimeout
)
