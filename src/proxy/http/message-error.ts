/**
 * Why a peer's bytes are not an HTTP message. The reply's status and the access log's detail follow from it, under the
 * names that Envoy gives them.
 */
export class MessageError extends Error {
  private constructor(
    readonly status: number,
    readonly detail: string,
    message: string,
  ) {
    super(message);
  }

  /** Anything that breaks the grammar of RFC 9112. */
  static malformed(message: string): MessageError {
    return new MessageError(400, "http1.codec_error", message);
  }
  /** RFC 9112, 6.3: both framings at once is how requests are smuggled. */
  static bothFramings(): MessageError {
    return new MessageError(400, "http1.content_length_and_chunked_not_allowed", "both Content-Length and Transfer-Encoding");
  }
  static badTransferEncoding(value: string): MessageError {
    return new MessageError(501, "http1.invalid_transfer_encoding", `Transfer-Encoding ${JSON.stringify(value)} is not chunked`);
  }
  static invalidCharacters(name: string): MessageError {
    return new MessageError(400, "http1.invalid_characters", `the value of ${name} has control characters`);
  }
  static headersTooLarge(): MessageError {
    return new MessageError(431, "http1.headers_too_large", "the headers are over the limit");
  }
  static tooManyHeaders(): MessageError {
    return new MessageError(431, "http1.too_many_headers", "more headers than the limit");
  }
  static trailersTooLarge(): MessageError {
    return new MessageError(431, "http1.trailers_too_large", "the trailers are over the limit");
  }
  static lowVersion(): MessageError {
    return new MessageError(426, "low_version", "HTTP/1.0 is not accepted here");
  }
  static invalidUrl(): MessageError {
    return new MessageError(400, "http1.invalid_url", "the request target is in no known form");
  }
  static invalidScheme(): MessageError {
    return new MessageError(400, "http1.invalid_scheme", "the request target has a scheme that is not HTTP's");
  }
  static invalidAuthority(): MessageError {
    return new MessageError(400, "http.invalid_authority", "the host has characters that no host has");
  }
  static connectionHeader(): MessageError {
    return new MessageError(400, "http1.connection_header_rejected", "Connection names what must not be taken away");
  }
  static underscore(): MessageError {
    return new MessageError(400, "http1.unexpected_underscore", "a header name has an underscore");
  }
  static bodyDisallowed(): MessageError {
    return new MessageError(400, "http1.body_disallowed", "this message must not have a body");
  }
}
