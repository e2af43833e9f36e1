// Package callers says who can call a route, and how, by what is configured: the policies that run there, in the words of their kinds, and
// what they make of the consumers that there are.
//
// It owns the answer ([Callers.Access]): data, and the same in sentences. It doesn't own the words of a kind (policy.Contract.Access), nor
// what a kind makes of a caller (policy.Contract.Admits); so a new kind changes nothing here. It asks no node, and reads no request: what
// only a request shows is said to depend on it, and never guessed.
//
// Of consumers it looks at a bounded number, in the order of their names, and says whether those are all.
//
// Data flows the catalog's head and the directory's rows → callers → the API.
package callers
