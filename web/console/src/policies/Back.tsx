import { Link } from "@tanstack/react-router";
import classes from "./policies.module.css";

export function Back({ environment }: { environment: string }) {
  return <Link to="/environments/$environment/policies" params={{ environment }} className={classes.back}>← Policies</Link>;
}
