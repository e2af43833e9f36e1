package pipeline

import "runtime/debug"

// RefusalResponder is a stage that also sees the refusals of requests that never got to it: Refused is called in the place of
// Response for every enforced stage behind the one that refused, in the same reverse order. What an environment says in each
// answer belongs in a 401 as well. An error fails as that of Response does, and the first refusal stays the answer.
type RefusalResponder interface {
	Responder
	Refused(*Exchange) error
}

// refused calls Refused for the stages whose Request didn't run.
func (s *Stages) refused(ex *Exchange) {
	for next := len(s.list) - 1; next >= ex.ran; {
		next = s.tell(ex, next)
	}
}

// tell calls Refused from the i-th stage down, and returns where to go on: below the first if none panics.
func (s *Stages) tell(ex *Exchange, i int) (next int) {
	defer func() {
		if v := recover(); v != nil {
			s.refuse(ex, &s.list[i], &panicError{value: v, stack: debug.Stack()})
			next = i - 1
		}
	}()
	for ; i >= ex.ran; i-- {
		st := &s.list[i]
		if responder, ok := st.responder.(RefusalResponder); ok {
			if err := responder.Refused(ex); err != nil {
				s.refuse(ex, st, err)
			}
		}
	}
	return i
}
