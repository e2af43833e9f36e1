package pipeline

// AnswerWatcher is a responder that only looks at answers, and changes nothing but that it may refuse one. It is called in shadow too: what it then says is
// noted, as what its Request says is.
type AnswerWatcher interface {
	Responder
	// WatchesAnswers tells whether there is anything to be looked at.
	WatchesAnswers() bool
}

// responderOf returns what of a stage sees answers; nil: nothing does.
func responderOf(stage Stage, shadow bool) Responder {
	responder, ok := stage.(Responder)
	if !ok {
		return nil
	}
	watcher, watches := stage.(AnswerWatcher)
	switch {
	case watches && !watcher.WatchesAnswers(), shadow && !watches:
		return nil
	}
	return responder
}
