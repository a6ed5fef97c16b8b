import { render } from "preact";
import { live } from "./live/life.ts";
import { App } from "./views/app.tsx";
import "./style/main.css";

live();
render(<App />, document.getElementById("page")!);
