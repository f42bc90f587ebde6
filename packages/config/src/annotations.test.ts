import { expect, it } from "vitest";
import { refuseAnnotations } from "./annotations.ts";

it.each([
  ["io.katacontainers.config.hypervisor.default_vcpus", "(set default_vcpus of [hypervisor.qemu])"],
  ["io.katacontainers.config.hypervisor.image", "(remove it)"],
  ["io.katacontainers.config.agent.policy", "(remove it)"],
])("refuses %s", (name, remedy) => {
  expect(() => refuseAnnotations({ [name]: "2" })).toThrow(
    `annotation ${name} is not enabled: annotations do not change the configuration ${remedy}`,
  );
});

it("lets every other annotation pass", () => {
  refuseAnnotations({ "io.katacontainers.pkg.oci.bundle_path": "/b", "org.example": "x" });
  refuseAnnotations();
});
