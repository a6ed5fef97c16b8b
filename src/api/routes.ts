import { adminRoutes } from "./admin/routes.ts";
import { authRoutes } from "./auth/routes.ts";
import { clientRoutes } from "./clients/routes.ts";
import { eventRoutes } from "./events/routes.ts";
import { healthRoutes } from "./health/routes.ts";
import type { Route } from "./http/route.ts";
import { messageRoutes } from "./messages/routes.ts";
import { roomRoutes } from "./rooms/routes.ts";
import { taskRoutes } from "./tasks/routes.ts";
import { userRoutes } from "./users/routes.ts";

/** Everything that exists below `/v1`, and the probes: mounted, documented and tested from this one list. */
export const routes: readonly Route[] = [
  ...userRoutes,
  ...authRoutes,
  ...clientRoutes,
  ...roomRoutes,
  ...messageRoutes,
  ...taskRoutes,
  ...eventRoutes,
  ...adminRoutes,
  ...healthRoutes,
];
