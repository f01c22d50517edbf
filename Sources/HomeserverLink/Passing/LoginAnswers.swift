import MatrixWire
import PresenceModel

/// What becomes of the homeserver's answers to logins, where the social service is on: the token is remembered, so
/// that the first request with it need not be looked up, and clients of the first social service find the name that
/// they have there. Facts: social service, section 4.1; decision 27.
public enum LoginAnswers: Sendable {
    /// They pass as all others do.
    case passed
    /// They are read, and pass byte for byte.
    case remembered
    /// They are read, and get a member `social_user_id`: what the closure makes of the user.
    case named(@Sendable (UserID) -> String?)

    /// `nil`: nothing is to be read.
    func reading(into tokens: WhoamiTokens) -> (@Sendable ([UInt8]) async -> [UInt8])? {
        if case .passed = self { return nil }
        return { bytes in
            guard var answer = (try? JSONParser.lenient.parse(bytes))?.value.object,
                let user = answer["user_id"]?.string.flatMap({ try? UserID(parsing: $0) }),
                let device = answer["device_id"]?.string.flatMap({ try? DeviceID(parsing: $0) }),
                let token = answer["access_token"]?.string
            else { return bytes }
            await tokens.learn(token, of: DeviceKey(user: user, device: device))
            guard case .named(let name) = self, let name = name(user) else { return bytes }
            answer["social_user_id"] = .string(name)
            var writer = JSONWriter(capacity: bytes.count + 512)
            writer.object(answer)
            return writer.bytes
        }
    }
}
