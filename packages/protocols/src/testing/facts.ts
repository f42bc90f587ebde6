// What of .proto files goes over the wire, as sorted lines of text: names, numbers, types.
//   grpc.StringUser.uid=1 string
//   grpc.HealthCheckResponse.ServingStatus.SERVING=1
//   grpc.Health.Check(grpc.CheckRequest) grpc.HealthCheckResponse
import protobuf from "protobufjs";

const name = (object: protobuf.ReflectionObject) => object.fullName.slice(1);

/** The facts of everything in the packages, by their full names. */
export function factsOf(root: protobuf.Root, packages: readonly string[]): string[] {
  return packages.flatMap((one) => objectsOf(root, one).flatMap(lines)).sort();
}

/** What stands in a package itself, not in one whose name goes on. */
function objectsOf(root: protobuf.Root, packageName: string): protobuf.ReflectionObject[] {
  const found = root.lookup(packageName);
  if (!(found instanceof protobuf.Namespace)) throw new Error(`no package ${packageName}`);
  return found.nestedArray.filter(
    (object) =>
      object instanceof protobuf.Enum ||
      object instanceof protobuf.Type ||
      object instanceof protobuf.Service,
  );
}

function lines(object: protobuf.ReflectionObject): string[] {
  if (object instanceof protobuf.Enum) {
    return Object.entries(object.values).map(([value, number]) => `${name(object)}.${value}=${number}`);
  }
  if (object instanceof protobuf.Service) return object.methodsArray.map(methodFact);
  if (object instanceof protobuf.Type) {
    // A message without a field is a fact too.
    return [name(object), ...object.fieldsArray.map(fieldFact), ...object.nestedArray.flatMap(lines)];
  }
  return [];
}

function fieldFact(field: protobuf.Field): string {
  field.resolve();
  const type = field.resolvedType ? name(field.resolvedType) : field.type;
  const shape =
    field instanceof protobuf.MapField
      ? `map<${field.keyType}, ${type}>`
      : field.repeated
        ? `repeated ${type}`
        : type;
  return `${name(field)}=${field.id} ${shape}`;
}

function methodFact(method: protobuf.Method): string {
  method.resolve();
  const [request, response] = [method.resolvedRequestType, method.resolvedResponseType];
  if (!request || !response) throw new Error(`${method.fullName}: a type that is not there`);
  return `${name(method)}(${name(request)}) ${name(response)}`;
}
