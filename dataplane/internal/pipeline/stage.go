package pipeline

// Stage is a policy compiled. Request runs before the upstream is asked, for every request of the routes that the policy
// applies to, concurrently. A *Rejection ends the request; any other error fails it closed.
type Stage interface {
	Request(*Exchange) error
}

// Responder is a stage that also sees the answer. Responses run in reverse, for every enforced stage whose Request ran,
// rejections included ([EarlyResponder] sees those of stages before it too, an [AnswerWatcher] is called in shadow too). A *Rejection takes the answer's place; any other error does so as policy_failed.
type Responder interface {
	Response(*Exchange) error
}

// Finisher is a stage that learns the end of an exchange: exactly once if its Request ran, also when that refused,
// failed or panicked, and when the client goes away.
type Finisher interface {
	Finish(*Exchange)
}
