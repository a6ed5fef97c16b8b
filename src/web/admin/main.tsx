import { render } from "preact";
import { Desk } from "./views/desk.tsx";
import "./style/main.css";

render(<Desk />, document.getElementById("page")!);
