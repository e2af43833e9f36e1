package pipeline

import "runtime/debug"

// EarlyResponder is a stage that also sees answers that were given before the request got to it, refusals above all:
// RespondEarly is called in the place of Response for every enforced stage behind the one that answered, in the same reverse
// order. What an environment says in each answer belongs in a 401 as well. An error counts as that of Response does, and a
// request that was refused stays refused as it was.
type EarlyResponder interface {
	Responder
	RespondEarly(*Exchange) error
}

// respondEarly calls RespondEarly for the stages whose Request didn't run.
func (s *Stages) respondEarly(ex *Exchange) {
	for next := len(s.list) - 1; next >= ex.ran; {
		next = s.tellEarly(ex, next)
	}
}

// tellEarly calls RespondEarly from the i-th stage down, and returns where to go on: below the first that panics.
func (s *Stages) tellEarly(ex *Exchange, i int) (next int) {
	defer func() {
		if v := recover(); v != nil {
			s.refuseAnswer(ex, &s.list[i], &panicError{value: v, stack: debug.Stack()})
			next = i - 1
		}
	}()
	for ; i >= ex.ran; i-- {
		st := &s.list[i]
		if responder, ok := st.responder.(EarlyResponder); ok {
			if err := responder.RespondEarly(ex); err != nil {
				s.refuseAnswer(ex, st, err)
			}
		}
	}
	return i
}
