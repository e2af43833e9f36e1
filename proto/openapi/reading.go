package openapi

import "strings"

// possible are the kinds that a rule lets a value be of, as far as it and those in the same place say.
func (r *rule) possible() uint8 {
	if r == nil {
		return anyKind
	}
	return r.allowed
}

// settle works out what is possible, once for each rule: none applies itself in the same place.
func (r *rule) settle() uint8 {
	if r.settled {
		return r.allowed
	}
	r.settled = true
	if r.never {
		return 0
	}
	kinds := r.kinds
	if r.ref != nil {
		kinds &= r.ref.settle()
	}
	for _, each := range r.allOf {
		kinds &= each.settle()
	}
	for _, choice := range [...][]*rule{r.anyOf, r.oneOf} {
		var either uint8
		for _, each := range choice {
			either |= each.settle()
		}
		if len(choice) > 0 {
			kinds &= either
		}
	}
	r.allowed = kinds
	return kinds
}

// shape is what a text that has no kind of its own is read as: a list, an object or a scalar, for which String stands.
func (r *rule) shape() Kind {
	kinds := r.possible()
	if kinds == anyKind {
		switch {
		case r.properties != nil || len(r.required) > 0:
			return Object
		case r.items != nil || r.prefix != nil:
			return Array
		}
		return String
	}
	switch kinds &^ (1 << Null) {
	case 1 << Array:
		return Array
	case 1 << Object:
		return Object
	}
	return String
}

// member returns the rule that a member of a name is held against; nil: none is.
func (r *rule) member(name string) *rule {
	for depth := 0; r != nil && depth < maxDepth; depth++ {
		if own := r.properties[name]; own != nil {
			return own
		}
		for _, each := range r.allOf {
			if own := each.properties[name]; own != nil {
				return own
			}
			if each.ref != nil && each.ref.properties[name] != nil {
				return each.ref.properties[name]
			}
		}
		if r.ref == nil {
			return r.additional
		}
		r = r.ref
	}
	return nil
}

// memberNames are the names that a rule and what it refers to describe.
func (r *rule) memberNames() []string {
	var names []string
	for depth := 0; r != nil && depth < maxDepth; depth++ {
		names = append(names, sorted(r.properties)...)
		for _, each := range r.allOf {
			names = append(names, sorted(each.properties)...)
			if each.ref != nil {
				names = append(names, sorted(each.ref.properties)...)
			}
		}
		r = r.ref
	}
	return names
}

// entry returns the rule of an item.
func (r *rule) entry(i int) *rule {
	for depth := 0; r != nil && depth < maxDepth; depth++ {
		switch {
		case i < len(r.prefix):
			return r.prefix[i]
		case r.items != nil:
			return r.items
		}
		r = r.ref
	}
	return nil
}

// scalars are the values that a text may stand for, of those kinds that are possible: what it looks like first, the text itself last.
func scalars(kinds uint8, text string) []tree {
	all := make([]tree, 0, 2)
	if kinds&(1<<Number) != 0 {
		if _, ok := readNumber(text); ok {
			all = append(all, tree{kind: Number, text: text})
		}
	}
	if kinds&(1<<Boolean) != 0 && (text == "true" || text == "false") {
		all = append(all, tree{kind: Boolean, truth: text == "true"})
	}
	if kinds&(1<<Null) != 0 && text == "" {
		all = append(all, tree{kind: Null})
	}
	if kinds&(1<<String) != 0 || len(all) == 0 {
		all = append(all, tree{kind: String, text: text})
	}
	return all
}

// readAs is what a text within a list or an object stands for: the text itself, where that is possible.
func readAs(r *rule, text string) tree {
	all := scalars(r.possible(), text)
	if r != nil && r.possible()&(1<<String) == 0 {
		return all[0]
	}
	return all[len(all)-1]
}

func listOf(r *rule, parts []string) []tree {
	if parts == nil {
		return nil
	}
	list := tree{kind: Array, members: make([]member, len(parts))}
	for i, part := range parts {
		list.members[i].value = readAs(r.entry(i), part)
	}
	return []tree{list}
}

func objectOf(r *rule, pairs [][2]string) []tree {
	if pairs == nil {
		return nil
	}
	object := tree{kind: Object, members: make([]member, len(pairs))}
	for i, pair := range pairs {
		object.members[i] = member{pair[0], readAs(r.member(pair[0]), pair[1])}
	}
	return []tree{object}
}

// jsonText reads a text as JSON; without a result it is none.
func jsonText(text string) []tree {
	value, err := parseJSON([]byte(text))
	if err != nil || !validUTF8(text) {
		return nil
	}
	return []tree{plain(value)}
}

func validUTF8(text string) bool { return strings.ToValidUTF8(text, "") == text }
