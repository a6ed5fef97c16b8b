import icon from "../icon.svg";
export const NothingOpen = () => (
  <div class="nothing-open">
    <div class="empty">
      <img src={icon} alt="" width="56" height="56" />
      <h2>Pick a conversation</h2>
      <p>Or find somebody under People, and say hello.</p>
    </div>
  </div>
);
