// Package web holds the pages that the control plane serves to browsers: an npm workspace, and what it was built to.
//
// It owns the console (console/), the parts that console and portal share (ui/, the form generator above all), the typed client of the
// API (client/) and their tests in a browser (e2e/). It imports nothing of ours, and knows the product through the REST API alone:
// types come from its OpenAPI document, forms from the schemas that it serves. So a new kind of policy touches nothing here.
//
// `make web` builds into dist/, which git ignores. Without it the control plane compiles all the same, and says in the console's place
// what to run.
package web
