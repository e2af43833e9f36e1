// Package sweeper ends what takes too long: one coarse clock looks over the deadlines of all connections, so that none of them needs
// timers of its own, of which a request would start and stop several.
//
// It owns the clock and who is due. It doesn't own what being late means: whoever adds a [Timer] says what is done.
package sweeper
