/** Scalars of protobuf, and messages of google.protobuf that JSON writes in a way of its own. */
export type Scalar = "bool" | "int32" | "uint32" | "int64" | "uint64" | "float" | "double" | "string" | "bytes";
export type WellKnown = "Any" | "Duration" | "Timestamp" | "Struct" | "Value" | "ListValue";

export interface EnumType {
  readonly kind: "enum";
  /** `istio.networking.v1alpha3.Server…`. */
  readonly name: string;
  /** Numbers by word. */
  readonly values: ReadonlyMap<string, number>;
}

export interface MessageType {
  readonly kind: "message";
  readonly name: string;
  /** In the order of the message's definition: of several mistakes the first field's is told. */
  readonly fields: readonly FieldType[];
  /** Of a message that is not known further: whatever it holds is taken. */
  readonly open?: true;
}

export type ValueType =
  | { readonly kind: "scalar"; readonly scalar: Scalar }
  | { readonly kind: "wellKnown"; readonly wellKnown: WellKnown }
  | EnumType
  | MessageType;

export interface FieldType {
  /** As protobuf writes it, `max_connections`; both names are read. */
  readonly name: string;
  readonly jsonName: string;
  readonly list: boolean;
  /** Fields of a message with the same mark are alternatives: of several, the last one is read. */
  readonly oneof?: string;
  /** The type of a map's keys; undefined for what is no map. */
  readonly mapKey?: Scalar;
  readonly type: ValueType;
}

/** Finds the message of an Any; undefined where it is not known. */
export type AnyResolver = (typeUrl: string) => MessageType | undefined;
