import "@fontsource-variable/inter/wght.css";
import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "./global.css";

import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { ProblemCode, cssVariables, theme } from "@sallyport/ui";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { queries } from "./api";
import { holdMarkup, nonce } from "./csp";
import { ProblemPopover } from "./pages/ProblemPopover";
import { router } from "./router";

holdMarkup();
createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <MantineProvider theme={theme} cssVariablesResolver={cssVariables} defaultColorScheme="auto" getStyleNonce={nonce}>
      <Notifications position="bottom-right" />
      <QueryClientProvider client={queries}>
        <ProblemCode value={ProblemPopover}>
          <RouterProvider router={router} />
        </ProblemCode>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
