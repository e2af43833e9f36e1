package proxy

// names is a set of field names, found without regard to case and to what stands for a hyphen: many services read X_Forwarded_For as
// X-Forwarded-For, and those that make variables of names X.Forwarded.For as well.
type names struct {
	byLength [longestName + 1][]string
}

const longestName = 32

// newNames returns a set of names in lower case, with hyphens.
func newNames(all ...string) *names {
	n := new(names)
	for _, name := range all {
		n.byLength[len(name)] = append(n.byLength[len(name)], name)
	}
	return n
}

// has looks at the few names of the same length: most fields cost one comparison, of their first byte.
func (n *names) has(name string) bool {
	if len(name) > longestName {
		return false
	}
	for _, known := range n.byLength[len(name)] {
		if reads(name, known) {
			return true
		}
	}
	return false
}

// isOwn tells whether a name is the gateway's by its prefix.
func isOwn(name string) bool {
	for _, prefix := range ownPrefixes {
		if len(name) >= len(prefix) && reads(name[:len(prefix)], prefix) {
			return true
		}
	}
	return false
}

// reads tells whether services may read name as known, which is as long: ASCII letters count without their case, and all that is neither letter
// nor digit as a hyphen.
func reads(name, known string) bool {
	if len(name) != len(known) {
		return false
	}
	for i := range len(name) {
		if folded[name[i]] != known[i] {
			return false
		}
	}
	return true
}

var folded = func() (table [256]byte) {
	for c := range table {
		switch {
		case c >= 'A' && c <= 'Z':
			table[c] = byte(c) | 0x20
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			table[c] = byte(c)
		default:
			table[c] = '-'
		}
	}
	return table
}()
