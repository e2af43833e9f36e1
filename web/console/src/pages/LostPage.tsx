import { Button } from "@mantine/core";
import { Empty } from "@sallyport/ui";
import { Link } from "@tanstack/react-router";

export function LostPage() {
  return (
    <Empty icon="search" title="There is no such page" action={<Button variant="default" renderRoot={(props) => <Link to="/" {...props} />}>To the start</Button>}>
      The address may be mistyped, or lead to something that is gone.
    </Empty>
  );
}
