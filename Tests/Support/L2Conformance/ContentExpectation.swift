// lmcache · SPDX-License-Identifier: Apache-2.0

package import Testing

/// Expects equal bytes and names the first place that differs.
///
/// Not `#expect(left == right)`: on a failure that computes the smallest edit between the two, which for objects of a
/// megabyte takes hours.
package func expectContent(
    _ found: [UInt8], equals expected: [UInt8], sourceLocation: SourceLocation = #_sourceLocation
) {
    guard found != expected else { return }
    let place = zip(found, expected).enumerated().first { $0.element.0 != $0.element.1 }?.offset
    let words =
        "\(found.count) bytes, expected \(expected.count); first difference at \(place.map(String.init) ?? "the end")"
    Issue.record("\(words)", sourceLocation: sourceLocation)
}
