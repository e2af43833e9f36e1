// Package listing is what every list of the REST API has in common: the query a caller makes
// ([Query]), the labels selector in it ([Selector]), the opaque cursor, and a page of the answer
// ([Page]).
//
// It owns their form and limits, not what is listed: catalog lists objects out of memory, directory
// out of Postgres. Both sort by name, which is unique in its collection, so that a page goes on after
// the last name even when objects come and go meanwhile.
//
// Data flows Query → [Query.Plan] → the domain's own reading → [Plan.Cursor] → Page.
package listing
