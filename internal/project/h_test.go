package project
import ("testing";"strings";"fmt";"time")
func TestH(t *testing.T){
 k:=publicKey(t)
 mem:="version = 1\n[members.alice]\nkeys = [\""+k+"\"]\n"
 var uniq,groups,envs,members strings.Builder
 for i:=0;uniq.Len()<1<<20-300;i++{fmt.Fprintf(&uniq,"\"m%x\",",i)}
 for i:=0;groups.Len()<1<<20-300;i++{fmt.Fprintf(&groups,"g%x=[]\n",i)}
 for i:=0;envs.Len()<1<<20-300;i++{fmt.Fprintf(&envs,"[environments.e%x]\n",i)}
 for i:=0;members.Len()<1<<20-300;i++{fmt.Fprintf(&members,"[members.m%x]\n",i)}
 for n,s:=range map[string]string{
  "readers": mem+"[environments.dev]\nreaders=["+uniq.String()+"]",
  "same": mem+"[environments.dev]\nreaders=["+strings.Repeat(`"alice",`,130000)+"]",
  "group": mem+"[groups]\na=["+uniq.String()+"]",
  "groups": mem+"[groups]\n"+groups.String(),
  "envs": mem+envs.String(),
  "members": "version=1\n"+members.String(),
  "keys": "version=1\n[members.a]\nkeys=["+uniq.String()+"]",
  "allow": mem+"[environments.dev]\nreaders=[\"alice\"]\nallow=["+uniq.String()+"]",
 }{ st:=time.Now(); _,err:=ParsePolicy("x",[]byte(s)); t.Log(n,len(s),time.Since(st),err) }
}
