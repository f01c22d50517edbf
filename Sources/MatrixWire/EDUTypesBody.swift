import PresenceModel

/// What a server says of the EDUs that it wishes to receive, as far as they are ours to send: a member `false` for a
/// type means none of them, `true` or nothing means that they may come.
///
/// `GET /_matrix/federation/v1/edutypes`, before that `/_matrix/federation/unstable/io.fsky.vel/edutypes`. The types
/// that it may name are those of the specification and, among us, our own. Spec: MSC4373.
public struct EDUTypesBody: Hashable, Sendable {
    /// `m.presence`
    public var presence = true
    /// `org.presenced.presence_invite`, `…_accept`, `…_deny`
    public var permissions: Set<PermissionMessage.Kind> = Set(PermissionMessage.Kind.allCases)

    /// Everything is wished for: what a server wants that says nothing.
    public static let everything = EDUTypesBody()

    /// Nothing of ours.
    public static let nothing: EDUTypesBody = {
        var body = EDUTypesBody()
        body.presence = false
        body.permissions = []
        return body
    }()

    /// Everything is wished for.
    public init() {}

    /// - Returns: `nil` for what is no JSON object. Members that are neither `true` nor `false` say nothing.
    public init?(decoding bytes: [UInt8]) {
        guard let object = (try? JSONParser.lenient.parse(bytes))?.value.object else { return nil }
        self.init()
        presence = object["m.presence"]?.bool != false
        permissions = permissions.filter { object[EDUTypesBody.name(of: $0)]?.bool != false }
    }

    /// Every type by name, in canonical form.
    public func encode() -> [UInt8] {
        var object = JSONObject()
        object["m.presence"] = .bool(presence)
        for kind in PermissionMessage.Kind.allCases {
            object[EDUTypesBody.name(of: kind)] = .bool(permissions.contains(kind))
        }
        return CanonicalJSON.encode(.object(object))
    }

    private static func name(of kind: PermissionMessage.Kind) -> String { "org.presenced.presence_\(kind.rawValue)" }
}
