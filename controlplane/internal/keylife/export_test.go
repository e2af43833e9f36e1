package keylife

import "context"

// Look looks once.
func (r *Retirer) Look(ctx context.Context) error { return r.look(ctx) }

// Pages is how many keys one look looks at.
const Pages = retirePage * retirePages
