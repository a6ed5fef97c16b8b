import { session } from "../client.ts";
import { announcement } from "../live/announce.ts";
import { target } from "../route.ts";
import { Banner } from "./banner.tsx";
import { Conversation } from "./conversation.tsx";
import { DialogPlace } from "./dialog.tsx";
import { NothingOpen } from "./nothing-open.tsx";
import { Sidebar } from "./sidebar.tsx";
import { SignIn } from "./sign-in.tsx";

export const App = () => (
  <>
    {session.value ? <Chat /> : <SignIn />}
    <p class="unseen-text" role="status" aria-live="polite">
      {announcement.value}
    </p>
  </>
);

/** Two panes; where there is room for one only, the conversation covers the lists. */
function Chat() {
  const open = target.value;
  return (
    <main class={open ? "chat is-open" : "chat"}>
      <h1 class="unseen-text">Parley</h1>
      <Banner />
      <Sidebar />
      {open ? <Conversation target={open} /> : <NothingOpen />}
      <DialogPlace />
    </main>
  );
}
