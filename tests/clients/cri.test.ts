import { testPods } from "./pod-life.ts";

testPods();
