package payload

// Next returns what comes next in an object or array: a member's key and value, or an entry. It begins with after 0, and goes on with what it returned. It does what
// Members and Entries do, for who goes over many small ones and can't afford a function for each.
func (v Value) Next(after uint32) (key, value Value, next uint32, ok bool) {
	n := v.node()
	at := max(after, v.at+1)
	if n.kind != Object && n.kind != Array || at >= n.next {
		return Value{}, Value{}, 0, false
	}
	if n.kind == Object {
		key = Value{v.doc, at}
		at++
	}
	return key, Value{v.doc, at}, v.doc.nodes[at].next, true
}
