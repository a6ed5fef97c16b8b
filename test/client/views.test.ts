import type { z } from "zod";
import type * as admin from "../../src/api/admin/schemas.ts";
import type { LoginInput, SignedInView } from "../../src/api/auth/schemas.ts";
import type { ClientView, NewClientView } from "../../src/api/clients/routes.ts";
import type { EntryView } from "../../src/api/events/schemas.ts";
import type {
  AcceptedView,
  HistoryView,
  MessageView,
  ReceiptsView,
  UnseenView,
} from "../../src/api/messages/schemas.ts";
import type {
  CreateRoomInput,
  MyRoomsView,
  PublicRoomsView,
  RoomView,
  UpdateRoomInput,
} from "../../src/api/rooms/schemas.ts";
import type { ProblemView, TaskView } from "../../src/api/tasks/schemas.ts";
import type {
  CreateUserInput,
  OwnUserView,
  UpdateUserInput,
  UsersView,
  UserView,
} from "../../src/api/users/schemas.ts";
import type { Login } from "../../src/client/client.ts";
import type { Entry } from "../../src/client/entries.ts";
import type * as views from "../../src/client/views.ts";
import type { ErrorCode } from "../../src/shared/errors.ts";
import type { EntryType } from "../../src/shared/log/entry.ts";
import type * as desk from "../../src/web/admin/views.ts";

/** Neither may have anything that the other has not: no field, no `null`, no `undefined`. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type All<T extends Record<string, true>> = T;

/** What the client says that it gives, beside what the server says that it answers. */
export type Answers = All<{
  user: Same<views.User, z.output<typeof UserView>>;
  ownUser: Same<views.OwnUser, z.output<typeof OwnUserView>>;
  users: Same<views.Users, z.output<typeof UsersView>>;
  signedIn: Same<views.SignedIn, z.output<typeof SignedInView>>;
  message: Same<views.Message, z.output<typeof MessageView>>;
  accepted: Same<views.Accepted, z.output<typeof AcceptedView>>;
  history: Same<views.History, z.output<typeof HistoryView>>;
  unseen: Same<views.Unseen, z.output<typeof UnseenView>>;
  receipts: Same<views.Receipts, z.output<typeof ReceiptsView>>;
  room: Same<views.Room, z.output<typeof RoomView>>;
  rooms: Same<views.Rooms, z.output<typeof MyRoomsView>>;
  publicRooms: Same<views.PublicRooms, z.output<typeof PublicRoomsView>>;
  task: Same<Omit<views.Task, "error">, Omit<z.output<typeof TaskView>, "error">>;
  // The server's schema says of `code` that it is a text; its table of codes says which.
  problem: Same<Omit<views.ProblemDocument, "code">, Omit<z.output<typeof ProblemView>, "code">>;
  errorCode: Same<views.ErrorCode, ErrorCode>;
  entry: Same<Omit<Entry, "data" | "type" | "room_id">, Omit<z.output<typeof EntryView>, "data" | "type" | "room_id">>;
  entryType: Same<Entry["type"], EntryType>;
}>;

/** What it takes. */
export type Inputs = All<{
  login: Login extends z.input<typeof LoginInput> ? true : false;
  newUser: Same<views.NewUser, z.input<typeof CreateUserInput>>;
  userChange: Same<views.UserChange, z.input<typeof UpdateUserInput>>;
  newRoom: Same<views.NewRoom, z.input<typeof CreateRoomInput>>;
  roomChange: Same<views.RoomChange, z.input<typeof UpdateRoomInput>>;
}>;

/** Each may stand where the other does; parts of the same fields may be written differently. */
type Fits<A, B> = [A, B] extends [B, A] ? true : false;

/** What the admin's desk takes its routes to answer. */
export type Desk = All<{
  users: Fits<desk.AdminUsers, z.output<typeof admin.AdminUsersView>>;
  user: Fits<desk.AdminUserWithAccess, z.output<typeof admin.AdminUserWithAccessView>>;
  rooms: Fits<desk.AdminRooms, z.output<typeof admin.AdminRoomsView>>;
  messages: Fits<desk.GroupMessages, z.output<typeof admin.GroupMessagesView>>;
  reported: Fits<desk.Reported, z.output<typeof admin.ReportedView>>;
  jobs: Fits<desk.FailedJobs, z.output<typeof admin.FailedJobsView>>;
  job: Fits<desk.JobWithData, z.output<typeof admin.JobWithDataView>>;
  retried: Fits<desk.Retried, z.output<typeof admin.RetriedView>>;
  actions: Fits<desk.Actions, z.output<typeof admin.ActionsView>>;
  health: Fits<desk.Health, z.output<typeof admin.HealthView>>;
  client: Fits<desk.ApiClient, z.output<typeof ClientView>>;
  newClient: Fits<desk.NewApiClient, z.output<typeof NewClientView>>;
}>;
