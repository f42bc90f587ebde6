// What of .proto files goes over the wire, as sorted lines of text: names, numbers, types.
//   grpc.StringUser.uid=1 string
//   grpc.HealthCheckResponse.ServingStatus.SERVING=1
//   grpc.Health.Check(grpc.CheckRequest) grpc.HealthCheckResponse
import protobuf from "protobufjs";

const name = (object: protobuf.ReflectionObject) => object.fullName.slice(1);

/** The facts of the top-level objects that are in one of the files, by the files' names. */
export function factsOf(root: protobuf.Root, files: readonly string[]): string[] {
  const isIn = (object: protobuf.ReflectionObject) =>
    files.some((file) => object.filename?.endsWith(`/${file}`));
  const lines = (object: protobuf.ReflectionObject): string[] => {
    if (object instanceof protobuf.Enum) {
      return Object.entries(object.values).map(([value, number]) => `${name(object)}.${value}=${number}`);
    }
    if (object instanceof protobuf.Service) return object.methodsArray.map(methodFact);
    if (object instanceof protobuf.Type) {
      // A message without a field is a fact too.
      return [name(object), ...object.fieldsArray.map(fieldFact), ...object.nestedArray.flatMap(lines)];
    }
    return object instanceof protobuf.Namespace ? object.nestedArray.flatMap(lines) : [];
  };
  const packages = root.nestedArray.filter((object) => object instanceof protobuf.Namespace);
  return packages.flatMap((one) => one.nestedArray.filter(isIn).flatMap(lines)).sort();
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
