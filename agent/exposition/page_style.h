// The status page's stylesheet: light or dark as the browser asks, and readable on a phone. Text
// has a contrast of 4.5 to 1 or more against what is behind it (WCAG 2.1, 1.4.3).
#pragma once

namespace volumeter {

inline constexpr const char* kPageStyle = R"css(
:root{--bg:#f7f8fa;--card:#fff;--fg:#1b1f24;--dim:#5b6472;--line:#e3e6ea;--track:#e7eaef;
--fine:#2f7a4f;--warning:#8f5f00;--critical:#b92c23;--bar-fine:#3d8b5f;--bar-warning:#d79a10;--bar-critical:#c8372d}
@media (prefers-color-scheme:dark){:root{--bg:#14171b;--card:#1c2026;--fg:#e6e9ee;--dim:#a3acb9;
--line:#2c323a;--track:#2a3038;--fine:#6cc596;--warning:#e5b04a;--critical:#ff8a80;
--bar-fine:#57b283;--bar-warning:#e0a832;--bar-critical:#ef6a5f}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:14px/1.45 system-ui,sans-serif}
.skip{position:absolute;left:-99rem}.skip:focus{left:.5rem;top:.5rem;padding:.4rem;background:var(--card)}
:focus-visible{outline:2px solid var(--fg);outline-offset:2px}
header{display:flex;flex-wrap:wrap;gap:.4rem 1rem;align-items:baseline;padding:1rem 1.5rem;border-bottom:1px solid var(--line)}
header span{overflow-wrap:anywhere}
h1{font-size:1.15rem;margin:0}h2{font-size:1rem;margin:1.6rem 0 .5rem}
form{display:flex;gap:.4rem;align-items:baseline}label{color:var(--dim)}
select,button{font:inherit;color:inherit;background:var(--card);border:1px solid var(--dim);border-radius:4px;padding:.1rem .4rem;max-width:16rem}
nav{margin-left:auto;display:flex;gap:1rem}a{color:inherit}
#notice:empty{display:none}
#notice,.down{border-left:3px solid var(--bar-warning);padding:.3rem .8rem;background:var(--card)}#notice{margin:.75rem 1.5rem}
main{padding:1rem 1.5rem;max-width:1500px;margin:auto}
.cards{display:flex;flex-wrap:wrap;gap:.75rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.6rem 1rem;min-width:8rem;color:var(--dim)}
.card strong{display:block;font-size:1.5rem;color:var(--fg)}
.card.critical strong{color:var(--critical)}.card.warning strong{color:var(--warning)}
.card.quiet strong{color:var(--dim)}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:8px;background:var(--card)}
table{width:100%;border-collapse:collapse}
th,td{text-align:left;padding:.5rem .75rem;border-top:1px solid var(--line);vertical-align:top}
thead th{border-top:0;color:var(--dim);font-weight:600;font-size:.85rem}
tbody th{font-weight:400;min-width:9rem;max-width:22rem;overflow-wrap:anywhere}td:last-child{min-width:13rem}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}thead .n{white-space:normal}
small{display:block;color:var(--dim);overflow-wrap:anywhere}
[data-column=Usage]{white-space:nowrap}
.bar{display:inline-block;position:relative;width:11rem;height:.8rem;background:var(--track);border-radius:3px;vertical-align:middle;overflow:hidden}
.bar i{display:block;height:100%;background:var(--bar-fine)}
.bar.warning i{background:var(--bar-warning)}.bar.critical i{background:var(--bar-critical)}
.bar b{position:absolute;top:0;bottom:0;width:1px;background:var(--fg);opacity:.55}
.m80{left:80%}.m90{left:90%}
.pct{font-variant-numeric:tabular-nums}.why{color:var(--dim)}
.state{font-weight:600}.ok{color:var(--fine)}.unknown{color:var(--dim)}
.warning.state,.read-only{color:var(--warning)}.error,.hung,.not-mounted,.wrong-mount{color:var(--critical)}
details{margin-top:1.6rem}summary{cursor:pointer;color:var(--dim);margin-bottom:.5rem}
footer{color:var(--dim);padding:1rem 1.5rem;text-align:center}
@media (max-width:1450px){th,td{padding:.5rem .45rem}.bar{width:6rem}}
@media (max-width:700px){header,main{padding:.75rem}nav{margin-left:0}
.card{min-width:0;flex:1 1 6rem;padding:.4rem .6rem}.card strong{font-size:1.2rem}
table:not(.plain),table:not(.plain) tbody{display:block}
table:not(.plain) thead{position:absolute;left:-99rem}
table:not(.plain) tr{display:flex;flex-direction:column;padding:.5rem .75rem;border-top:1px solid var(--line)}
table:not(.plain) th,table:not(.plain) td{border:0;padding:.15rem 0;max-width:none}
table:not(.plain) tbody th{display:block;font-size:1rem}
table:not(.plain) td{display:flex;gap:.75rem;text-align:left;white-space:normal}
table:not(.plain) td::before{content:attr(data-column);color:var(--dim);flex:0 0 7.5rem}
table:not(.plain) td.none{display:none}
.t:last-child{order:-1}tbody th{order:-2}
tbody tr:first-child{border-top:0!important}}
)css";

}  // namespace volumeter
